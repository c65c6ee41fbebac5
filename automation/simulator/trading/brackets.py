"""Leverage brackets: how much may be held at which leverage, and the maintenance margin of it.

Decides maximum leverage and maintenance margin (rate and amount) by notional. Refuses to know
positions. Called by `units`, `margin` and the endpoint leverageBracket.

The ladders of the symbols listed here are Binance's (leverageBracket, as Freqtrade 2026.9 ships
it); every other symbol has the common one. A bracket's amount `cum` follows from the rates, so
that maintenance margin has no jump: cum_n = cum_(n-1) + floor_n · (rate_n - rate_(n-1)).
"""

from dataclasses import dataclass
from functools import cached_property

_ONE = 10**8
_RATE_ONE = 10**6


@dataclass(frozen=True, slots=True)
class Bracket:
    """One rung; notional in money, rate in 1e-6."""

    number: int
    floor: int
    cap: int
    rate: int
    leverage: int
    cum: int


@dataclass(frozen=True)
class Ladder:
    """The brackets of one symbol, from small to large."""

    brackets: tuple[Bracket, ...]

    @cached_property
    def most_leverage(self) -> int:
        """Highest leverage of all."""
        return self.brackets[0].leverage

    @cached_property
    def most_rate(self) -> int:
        """Highest maintenance rate of all, 1e-6."""
        return self.brackets[-1].rate

    def bracket(self, notional: int) -> Bracket:
        """Find the bracket of a notional (money, not negative)."""
        for bracket in self.brackets:
            if notional <= bracket.cap:
                return bracket
        return self.brackets[-1]

    def maintenance(self, notional: int) -> int:
        """Maintenance margin of a notional: rate times notional less the amount, rounded up."""
        bracket = self.bracket(notional)
        return max(-(-notional * bracket.rate // _RATE_ONE) - bracket.cum, 0)

    def most_notional(self, leverage: int) -> int:
        """Largest notional that may be held at a leverage."""
        allowed = [each.cap for each in self.brackets if each.leverage >= leverage]
        return allowed[-1] if allowed else 0


def ladder(rungs: tuple[tuple[int, float, int], ...]) -> Ladder:
    """Make a ladder from rungs of (cap in whole quote units, maintenance rate, leverage)."""
    made: list[Bracket] = []
    for number, (cap, rate_frac, leverage) in enumerate(rungs, 1):
        rate = round(rate_frac * _RATE_ONE)
        floor = made[-1].cap if made else 0
        before = made[-1] if made else None
        cum = before.cum + floor * (rate - before.rate) // _RATE_ONE if before else 0
        made.append(Bracket(number, floor, cap * _ONE, rate, leverage, cum))
    return Ladder(tuple(made))


# (cap in USDT, maintenance rate, leverage)
_COMMON = (
    (5_000, 0.015, 50),
    (10_000, 0.025, 20),
    (20_000, 0.05, 10),
    (50_000, 0.1, 5),
    (250_000, 0.125, 4),
    (500_000, 0.1667, 3),
    (7_500_000, 0.25, 2),
    (12_500_000, 0.5, 1),
)
_KNOWN: dict[str, tuple[tuple[int, float, int], ...]] = {
    "BTCUSDT": (
        (300_000, 0.004, 150),
        (800_000, 0.005, 100),
        (3_000_000, 0.0065, 75),
        (12_000_000, 0.01, 50),
        (70_000_000, 0.02, 25),
        (100_000_000, 0.025, 20),
        (230_000_000, 0.05, 10),
        (480_000_000, 0.1, 5),
        (600_000_000, 0.125, 4),
        (800_000_000, 0.15, 3),
        (1_200_000_000, 0.25, 2),
        (1_800_000_000, 0.5, 1),
    ),
    "ETHUSDT": (
        (300_000, 0.004, 150),
        (800_000, 0.005, 100),
        (3_000_000, 0.0065, 75),
        (12_000_000, 0.01, 50),
        (50_000_000, 0.02, 25),
        (65_000_000, 0.025, 20),
        (150_000_000, 0.05, 10),
        (320_000_000, 0.1, 5),
        (400_000_000, 0.125, 4),
        (530_000_000, 0.15, 3),
        (800_000_000, 0.25, 2),
        (1_200_000_000, 0.5, 1),
    ),
    "SOLUSDT": (
        (50_000, 0.005, 100),
        (400_000, 0.0065, 75),
        (1_000_000, 0.01, 50),
        (4_000_000, 0.02, 25),
        (8_000_000, 0.025, 20),
        (40_000_000, 0.05, 10),
        (80_000_000, 0.1, 5),
        (100_000_000, 0.125, 4),
        (200_000_000, 0.25, 2),
        (400_000_000, 0.5, 1),
    ),
    "XRPUSDT": (
        (40_000, 0.005, 100),
        (80_000, 0.006, 75),
        (150_000, 0.01, 50),
        (400_000, 0.0125, 40),
        (1_000_000, 0.02, 25),
        (2_000_000, 0.025, 20),
        (10_000_000, 0.05, 10),
        (20_000_000, 0.1, 5),
        (25_000_000, 0.125, 4),
        (50_000_000, 0.25, 2),
        (100_000_000, 0.5, 1),
    ),
    "ADAUSDT": (
        (10_000, 0.005, 75),
        (50_000, 0.01, 50),
        (200_000, 0.015, 40),
        (1_000_000, 0.02, 25),
        (2_000_000, 0.025, 20),
        (10_000_000, 0.05, 10),
        (20_000_000, 0.1, 5),
        (25_000_000, 0.125, 4),
        (50_000_000, 0.25, 2),
        (100_000_000, 0.5, 1),
    ),
    "BNBUSDT": (
        (10_000, 0.005, 75),
        (200_000, 0.006, 50),
        (400_000, 0.01, 40),
        (1_500_000, 0.02, 25),
        (3_000_000, 0.025, 20),
        (15_000_000, 0.05, 10),
        (30_000_000, 0.1, 5),
        (37_500_000, 0.125, 4),
        (75_000_000, 0.25, 2),
        (150_000_000, 0.5, 1),
    ),
    "DOGEUSDT": (
        (80_000, 0.0065, 75),
        (150_000, 0.01, 50),
        (750_000, 0.0125, 40),
        (2_000_000, 0.02, 25),
        (4_000_000, 0.025, 20),
        (20_000_000, 0.05, 10),
        (40_000_000, 0.1, 5),
        (50_000_000, 0.125, 4),
        (100_000_000, 0.25, 2),
        (200_000_000, 0.5, 1),
    ),
    "LINKUSDT": (
        (10_000, 0.005, 75),
        (200_000, 0.01, 50),
        (400_000, 0.015, 40),
        (800_000, 0.02, 25),
        (1_600_000, 0.025, 20),
        (8_000_000, 0.05, 10),
        (16_000_000, 0.1, 5),
        (20_000_000, 0.125, 4),
        (40_000_000, 0.25, 2),
        (80_000_000, 0.5, 1),
    ),
    "LTCUSDT": (
        (10_000, 0.005, 75),
        (50_000, 0.01, 50),
        (160_000, 0.015, 40),
        (800_000, 0.02, 25),
        (1_600_000, 0.025, 20),
        (8_000_000, 0.05, 10),
        (16_000_000, 0.1, 5),
        (20_000_000, 0.125, 4),
        (40_000_000, 0.25, 2),
        (80_000_000, 0.5, 1),
    ),
    "TRXUSDT": (
        (10_000, 0.0065, 75),
        (90_000, 0.01, 50),
        (120_000, 0.015, 40),
        (650_000, 0.02, 25),
        (800_000, 0.025, 20),
        (3_000_000, 0.05, 10),
        (6_000_000, 0.1, 5),
        (12_000_000, 0.125, 4),
        (20_000_000, 0.25, 2),
        (30_000_000, 0.5, 1),
    ),
}


def ladder_of(symbol: str) -> Ladder:
    """Give Binance's ladder of a symbol it lists here, else the common one."""
    return ladder(_KNOWN.get(symbol, _COMMON))
