"""Tells of positions without a stop, and of orders that neither fill nor go.

Reads the orders that Freqtrade's `/status` lists with each trade. Where stops lie on the exchange,
a position needs an open stop order, except while an exit is on its way; elsewhere Freqtrade itself
holds the stop, and it is missing when it has no rate. Told when it begins and when it ends; a new
supervisor begins anew. Refuses to mend anything. One account for one bot; called by `lookout`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from automation.fleet import sightings
from automation.fleet.chronicle import Chronicle

STOP_SIDE = "stoploss"

Trade = Mapping[str, Any]


@dataclass(slots=True)
class Orders:
    """What was told of one bot's orders."""

    bot: str
    chronicle: Chronicle
    stop_grace_s: float
    stuck_after_s: float
    _bare_since_s: dict[int, float] = field(default_factory=dict)
    _bare_told: dict[int, str] = field(default_factory=dict)
    _stuck_told: dict[str, sightings.OrderStuck] = field(default_factory=dict)

    def note(
        self,
        trades: Sequence[Trade],
        now_s: float,
        now_epoch_s: float,
        *,
        on_exchange: bool,
        lacking: Collection[int] = (),
    ) -> None:
        """Tell what began or ended; `on_exchange` says that stops are orders there.

        `lacking`: trades that have none, as the exchange itself says.

        KeyError, TypeError and ValueError mean trades as no Freqtrade tells them.
        """
        bare = {
            int(trade["trade_id"]): str(trade["pair"])
            for trade in trades
            if trade.get("amount")
            and (trade["trade_id"] in lacking or not has_stop(trade, on_exchange=on_exchange))
        }
        self._note_stops(bare, now_s)
        self._note_stuck(trades, now_epoch_s)

    def _note_stops(self, bare: Mapping[int, str], now_s: float) -> None:
        since = {number: self._bare_since_s.get(number, now_s) for number in bare}
        self._bare_since_s = since
        for number, pair in bare.items():
            open_s = now_s - since[number]
            if number not in self._bare_told and open_s >= self.stop_grace_s:
                self._bare_told[number] = pair
                missing = sightings.StopMissing(trade_id=number, pair=pair, open_s=round(open_s, 1))
                self.chronicle.tell("bot.stop_missing", missing, bot=self.bot)
        for number in self._bare_told.keys() - bare.keys():
            pair = self._bare_told.pop(number)
            placed = sightings.StopPlaced(trade_id=number, pair=pair)
            self.chronicle.tell("bot.stop_placed", placed, bot=self.bot)

    def _note_stuck(self, trades: Sequence[Trade], now_epoch_s: float) -> None:
        open_now = {
            str(order["order_id"]): (trade, order)
            for trade in trades
            for order in trade.get("orders") or ()
            if order.get("is_open") and order.get("ft_order_side") != STOP_SIDE
        }
        for name, (trade, order) in open_now.items():
            placed_ms = order.get("order_timestamp")
            age_s = now_epoch_s - placed_ms / 1000 if placed_ms else 0.0
            if name not in self._stuck_told and age_s >= self.stuck_after_s:
                facts = sightings.OrderStuck(
                    trade_id=int(trade["trade_id"]),
                    pair=str(trade["pair"]),
                    order_id=name,
                    side=str(order.get("ft_order_side") or ""),
                    age_s=round(age_s, 1),
                )
                self._stuck_told[name] = facts
                self.chronicle.tell("order.stuck", facts, bot=self.bot)
        for name in self._stuck_told.keys() - open_now.keys():
            self.chronicle.tell("order.settled", self._stuck_told.pop(name), bot=self.bot)


def has_stop(trade: Trade, *, on_exchange: bool) -> bool:
    """Tell whether an open position is guarded, or is being closed at this moment."""
    if not on_exchange:
        return bool(trade.get("stop_loss_abs"))
    exit_side = "buy" if trade.get("is_short") else "sell"
    sides = {
        order.get("ft_order_side") for order in trade.get("orders") or () if order.get("is_open")
    }
    return bool(sides & {STOP_SIDE, exit_side})
