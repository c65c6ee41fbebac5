"""What a message of Freqtrade's websocket means for the journal.

Fills of entries and final exits become what the REST API would tell of the trade, so that one
`TradeBook` takes both and tells each trade once. Warnings and orders are told as they are heard,
bounded, for a bot in trouble repeats itself. Refuses to know where messages come from (`feed`).
One ear for one bot.
"""

from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from automation.core.clock import Clock
from automation.fleet import sightings
from automation.fleet.chronicle import Chronicle
from automation.fleet.probe import Trades
from automation.fleet.tradebook import TradeBook

AGAIN_S = 600.0
"""The same words within this are not told again."""
MOST_A_MINUTE = 10
LONGEST_TEXT = 500
_LIKE = {"protection_trigger", "protection_trigger_global"}
_SAID = {"status", "startup", "warning", "exception", "strategy_msg", *_LIKE}
_ORDERS = {
    "entry": ("order.placed", "entry"),
    "exit": ("order.placed", "exit"),
    "entry_cancel": ("order.canceled", "entry"),
    "exit_cancel": ("order.canceled", "exit"),
}


class Ear:
    """Hears one bot."""

    def __init__(self, bot: str, chronicle: Chronicle, clock: Clock) -> None:
        """Write through `chronicle`."""
        self._bot, self._chronicle, self._clock = bot, chronicle, clock
        self._told_s: deque[float] = deque(maxlen=MOST_A_MINUTE)
        self._words: dict[tuple[str, str], float] = {}

    def hear(self, message: Mapping[str, Any], book: TradeBook | None) -> bool:
        """Tell what a message says; True when the bot is worth a look at once.

        KeyError, TypeError and ValueError mean a message as no Freqtrade writes it.
        """
        what = str(message.get("type", ""))
        if what in _SAID:
            self._say(what, _text(what, message))
            return what in {"status", "startup"}
        if what in _ORDERS:
            kind, purpose = _ORDERS[what]
            self._tell_order(kind, purpose, message)
            return False
        if book is not None:
            if what == "entry_fill" and not message.get("sub_trade"):
                book.note(Trades(opened=(_opened(message),)))
            if what == "exit_fill" and message.get("is_final_exit"):
                book.note_closed(_closed(message))
        return what in {"entry_fill", "exit_fill", "liquidation_warning"}

    def _say(self, what: str, text: str) -> None:
        now_s = self._clock.monotonic()
        self._words = {w: at for w, at in self._words.items() if now_s - at < AGAIN_S}
        if (what, text) not in self._words and self._has_room(now_s):
            self._words[what, text] = now_s
            said = sightings.BotSaid(what=what, text=text)
            self._chronicle.tell("bot.said", said, bot=self._bot, actor="freqtrade")

    def _tell_order(self, kind: str, purpose: str, message: Mapping[str, Any]) -> None:
        if not self._has_room(self._clock.monotonic()):
            return
        facts = sightings.OrderNoticed(
            trade_id=int(message["trade_id"]),
            pair=str(message["pair"]),
            side=str(message["direction"]).lower(),
            purpose=purpose,
            rate=float(message.get("order_rate") or message.get("limit") or 0.0),
            amount=float(message.get("amount") or 0.0),
            reason=str(message.get("reason") or message.get("exit_reason") or "")[:LONGEST_TEXT],
        )
        self._chronicle.tell(kind, facts, bot=self._bot, actor="freqtrade")

    def _has_room(self, now_s: float) -> bool:
        if len(self._told_s) == MOST_A_MINUTE and now_s - self._told_s[0] < 60.0:
            return False
        self._told_s.append(now_s)
        return True


def _text(what: str, message: Mapping[str, Any]) -> str:
    if what in _LIKE:
        where = "all pairs" if what.endswith("global") else message.get("pair")
        text = f"{where} locked until {message.get('lock_end_time')}: {message.get('reason')}"
    else:
        text = str(message.get("status") or message.get("msg") or "")
    return " ".join(text.split())[:LONGEST_TEXT]


def _opened(message: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "trade_id": message["trade_id"],
        "open_timestamp": _epoch_ms(message["open_date"]),
        "pair": message["pair"],
        "is_short": message["direction"] == "Short",
        "amount": message["amount"],
        "open_rate": message["open_rate"],
        "stake_amount": message["stake_amount"],
        "leverage": message.get("leverage"),
        "enter_tag": message.get("enter_tag"),
    }


def _closed(message: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_opened(message),
        "close_timestamp": _epoch_ms(message["close_date"]),
        "close_rate": message["close_rate"],
        "close_profit_abs": message["cumulative_profit"],
        "close_profit": message["final_profit_ratio"],
        "exit_reason": message.get("exit_reason"),
    }


def _epoch_ms(written: str) -> int:
    instant = datetime.fromisoformat(written)
    # Freqtrade keeps instants of UTC, some without saying so.
    instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return int(instant.timestamp() * 1000)
