"""Tells each trade of a bot once: when it was opened, when it was closed.

What was told stands in the journal, so it is the journal that a new supervisor asks, and nothing is
told twice. A trade is known by its number and its opening, for a fresh database counts from one
again. A database that comes with a history begins with one `trade.known`; its old trades are not
told. Refuses to know how trades were seen (`probe`, `hearing`). One book for one bot.
"""

from typing import Any

from automation.fleet import kinds
from automation.fleet.chronicle import Chronicle
from automation.fleet.probe import Trades

PAGE = 5000

TradeKey = tuple[int, int]


class TradeBook:
    """What the journal knows of one bot's trades."""

    def __init__(self, bot: str, database: str, chronicle: Chronicle) -> None:
        """Read the journal; DependencyError when it cannot be read."""
        self._bot, self._database, self._chronicle = bot, database, chronicle
        self._open: set[TradeKey] = set()
        self._closed: set[TradeKey] = set()
        self._known_until: int | None = None
        self._recall()

    def misses_older(self, trades: Trades) -> bool:
        """Tell whether trades may have been closed before these, and nobody told of them."""
        closed = _in_order(trades)
        return self._known_until is not None and bool(closed) and not self._knows(closed[0])

    def note(self, trades: Trades) -> None:
        """Tell what is new in one look at the bot."""
        if self._known_until is None:
            if trades.closed is None:
                return  # the first look must see the closed ones, or the account has no beginning
            self._begin(trades)
        for trade in trades.opened:
            self._tell_opened(trade)
        for trade in _in_order(trades):
            self._tell_closed(trade)

    def note_closed(self, trade: dict[str, Any]) -> None:
        """Tell one trade that was heard to be closed, unless the account has not begun."""
        if self._known_until is not None:
            self._tell_closed(trade)

    def _knows(self, trade: dict[str, Any]) -> bool:
        key = _key(trade)
        is_old = key not in self._open and key[0] <= (self._known_until or 0)
        return key in self._closed or is_old

    def _begin(self, trades: Trades) -> None:
        last = max((int(t["trade_id"]) for t in trades.closed or ()), default=0)
        self._known_until = last
        facts = kinds.TradesKnown(
            database=self._database, closed_total=trades.closed_total, last_closed_id=last
        )
        self._chronicle.tell("trade.known", facts, bot=self._bot)

    def _tell_opened(self, trade: dict[str, Any]) -> None:
        key = _key(trade)
        if key in self._open or key in self._closed:
            return
        if not trade.get("amount"):
            return  # its entry order is not filled yet
        self._open.add(key)
        facts = kinds.TradeOpened(
            trade_id=key[0],
            opened_ms=key[1],
            pair=str(trade["pair"]),
            side=_side(trade),
            amount=float(trade["amount"]),
            rate=float(trade["open_rate"]),
            stake_usdt=float(trade["stake_amount"]),
            leverage=float(trade.get("leverage") or 1.0),
            tag=str(trade.get("enter_tag") or ""),
        )
        self._chronicle.tell("trade.opened", facts, bot=self._bot)

    def _tell_closed(self, trade: dict[str, Any]) -> None:
        if self._knows(trade):
            return
        key = _key(trade)
        self._tell_opened(trade)  # opened and closed between two looks
        self._open.discard(key)
        self._closed.add(key)
        facts = kinds.TradeClosed(
            trade_id=key[0],
            opened_ms=key[1],
            closed_ms=int(trade["close_timestamp"]),
            pair=str(trade["pair"]),
            side=_side(trade),
            rate=float(trade["close_rate"]),
            profit_usdt=float(trade["close_profit_abs"]),
            profit_frac=float(trade["close_profit"]),
            reason=str(trade.get("exit_reason") or "no reason given"),
        )
        self._chronicle.tell("trade.closed", facts, bot=self._bot)

    def _recall(self) -> None:
        after = 0
        wanted = ("trade.known", "trade.opened", "trade.closed")
        while True:
            page = self._chronicle.journal.search(
                limit=PAGE, after=after, kind=wanted, bot=self._bot
            )
            for event in page:
                self._recall_one(event.kind, event.payload)
            if len(page) < PAGE:
                return
            after = page[-1].sequence

    def _recall_one(self, kind: str, payload: dict[str, Any]) -> None:
        if kind == "trade.known":
            # Another database: what it closed before is a history of its own.
            if payload.get("database") == self._database:
                self._known_until = int(payload["last_closed_id"])
            return
        if "trade_id" not in payload:
            return  # dropped by retention: such an old trade is not seen again
        key = (int(payload["trade_id"]), int(payload["opened_ms"]))
        if kind == "trade.opened":
            self._open.add(key)
        else:
            self._open.discard(key)
            self._closed.add(key)


def _in_order(trades: Trades) -> list[dict[str, Any]]:
    return sorted(trades.closed or (), key=lambda trade: int(trade["close_timestamp"]))


def _key(trade: dict[str, Any]) -> TradeKey:
    return int(trade["trade_id"]), int(trade["open_timestamp"])


def _side(trade: dict[str, Any]) -> str:
    return "short" if trade.get("is_short") else "long"
