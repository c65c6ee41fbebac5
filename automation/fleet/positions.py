"""Tells how a bot's open positions stand: distance from liquidation, funding.

Reads what Freqtrade's `/status` says, and the exchange's funding rates. Tells on change, at most
once a minute a position, sooner when one comes near liquidation. Refuses to know how trades are
seen (`probe`) and what is done about them. One account for one bot; called by `lookout`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from automation.fleet import sightings
from automation.fleet.chronicle import Chronicle
from automation.fleet.gauge import Gauge

LIQUIDATION_BOUNDS = (0.02, 0.05, 0.08)
FUNDING_BOUNDS = (0.0005, 0.001)


@dataclass(slots=True)
class _Seen:
    distance: Gauge
    funding: Gauge


@dataclass(slots=True)
class Positions:
    """What was told of one bot's positions."""

    bot: str
    chronicle: Chronicle
    gap_s: float = 60.0
    _seen: dict[int, _Seen] = field(default_factory=dict)

    def note(
        self, trades: Sequence[Mapping[str, Any]], rates: Mapping[str, float], now_s: float
    ) -> None:
        """Tell what moved; `rates` maps symbols like BTCUSDT to what longs pay, as a fraction.

        KeyError, TypeError and ValueError mean trades as no Freqtrade tells them.
        """
        open_now = {int(trade["trade_id"]): trade for trade in trades if trade.get("amount")}
        self._seen = {number: seen for number, seen in self._seen.items() if number in open_now}
        for number, trade in open_now.items():
            self._note(number, trade, rates, now_s)

    def _note(
        self, number: int, trade: Mapping[str, Any], rates: Mapping[str, float], now_s: float
    ) -> None:
        rate = float(trade.get("current_rate") or 0.0)
        if rate <= 0.0:
            return
        pair, is_short = str(trade["pair"]), bool(trade.get("is_short"))
        distance = liquidation_distance(rate, trade.get("liquidation_price"), is_short=is_short)
        funding = rates.get(symbol_of(pair))
        if funding is not None and is_short:
            funding = -funding
        seen = self._seen.setdefault(number, self._new())
        is_news = seen.distance.has_moved(distance, now_s) or seen.funding.has_moved(funding, now_s)
        if not is_news:
            return
        seen.distance.tell(distance, now_s)
        seen.funding.tell(funding, now_s)
        facts = sightings.PositionObserved(
            trade_id=number,
            pair=pair,
            side="short" if is_short else "long",
            leverage=float(trade.get("leverage") or 1.0),
            rate=rate,
            liquidation_rate=_number(trade.get("liquidation_price")),
            liquidation_distance_frac=distance,
            funding_rate_frac=funding,
            profit_usdt=_number(trade.get("total_profit_abs", trade.get("profit_abs"))),
        )
        self.chronicle.tell("position.observed", facts, bot=self.bot)

    def _new(self) -> _Seen:
        return _Seen(
            Gauge(0.02, LIQUIDATION_BOUNDS, self.gap_s), Gauge(0.0005, FUNDING_BOUNDS, self.gap_s)
        )


def liquidation_distance(rate: float, liquidation_rate: Any, *, is_short: bool) -> float | None:
    """Give how far the rate may go against the position, as a fraction of the rate.

    0 at liquidation and beyond; None without a liquidation rate (no leverage, or not known yet).
    """
    limit = _number(liquidation_rate)
    if limit is None or limit <= 0.0:
        return None
    return max(0.0, (limit - rate if is_short else rate - limit) / rate)


def symbol_of(pair: str) -> str:
    """Name a pair like BTC/USDT:USDT as the exchange does: BTCUSDT."""
    return pair.partition(":")[0].replace("/", "")


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
