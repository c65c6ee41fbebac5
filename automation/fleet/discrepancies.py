"""Tells when a bot's account holds other positions than the bot's trades.

A lost answer, a crash between an order and its being written down, or a hand at the exchange leave
a position that no trade minds, or a trade without its position. What the account holds is what the
bot itself last read of it (`/balance`): at its start, with its orders, and once an hour, so a
difference is seen that soon and not sooner. Pairs with an order under way are not compared. Told
when it has lasted, and when it is over; a new supervisor begins anew. Refuses to mend anything.
One account for one bot; called by `lookout`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from automation.fleet import sightings
from automation.fleet.chronicle import Chronicle
from automation.fleet.orders import STOP_SIDE

_SAME_FRAC = 1e-4  # amounts are rounded on their way
_EXACT = 9  # decimals: the finest lot of the exchange has fewer


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a bot said at one look: its account's positions and its open trades."""

    positions: Mapping[str, float]  # by pair, shorts below zero
    trades: Sequence[Mapping[str, Any]]
    seen_s: float


@dataclass(slots=True)
class Discrepancies:
    """What was told of one bot's account."""

    bot: str
    chronicle: Chronicle
    confirm_s: float
    _since: dict[str, tuple[float, float]] = field(default_factory=dict)  # difference, since when
    _told: set[str] = field(default_factory=set)
    _looked_s: float = 0.0

    def note(self, held: Holdings | None) -> None:
        """Tell what differs for longer than `confirm_s`, or agrees again; None tells nothing.

        KeyError, TypeError and ValueError mean trades as no Freqtrade tells them.
        """
        if held is None or held.seen_s == self._looked_s:
            return
        self._looked_s = held.seen_s
        found = differences(held.positions, held.trades)
        self._since = {
            pair: (amount, held.seen_s)
            if self._since.get(pair, (None,))[0] != amount
            else self._since[pair]
            for pair, amount in found.items()
        }
        for pair, (amount, since_s) in self._since.items():
            if pair not in self._told and held.seen_s - since_s >= self.confirm_s:
                self._tell(pair, amount, held)
        for pair in sorted(self._told - found.keys()):
            self._told.discard(pair)
            self.chronicle.tell(
                "bot.positions_agree", sightings.PositionsAgree(pair=pair), bot=self.bot
            )

    def _tell(self, pair: str, amount: float, held: Holdings) -> None:
        self._told.add(pair)
        holds = held.positions.get(pair, 0.0)
        facts = sightings.PositionsDiffer(
            pair=pair, held=holds, known=round(holds - amount, _EXACT)
        )
        self.chronicle.tell("bot.positions_differ", facts, bot=self.bot)


def differences(
    positions: Mapping[str, float], trades: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
    """Give what an account holds beyond its trades, by pair, shorts below zero.

    Pairs that agree, or have an order under way, are left out.
    """
    known: dict[str, float] = {}
    busy = set()
    for trade in trades:
        pair, amount = str(trade["pair"]), float(trade.get("amount") or 0.0)
        known[pair] = known.get(pair, 0.0) + (-amount if trade.get("is_short") else amount)
        orders = trade.get("orders") or ()
        if any(o.get("is_open") and o.get("ft_order_side") != STOP_SIDE for o in orders):
            busy.add(pair)
    found = {}
    for pair in sorted((known.keys() | positions.keys()) - busy):
        holds, booked = positions.get(pair, 0.0), known.get(pair, 0.0)
        if abs(holds - booked) > _SAME_FRAC * max(abs(holds), abs(booked)):
            found[pair] = round(holds - booked, _EXACT)
    return found


def positions_in(balance: Mapping[str, Any]) -> dict[str, float] | None:
    """Read an account's positions from what `/balance` answers; None where it does not tell them."""
    rows = balance.get("currencies")
    if rows is None:
        return None
    return {
        str(row["currency"]): -float(row["position"])
        if row.get("side") == "short"
        else float(row["position"])
        for row in rows
        if row.get("is_position")
    }
