"""The open trades before a restart and after it: they must be the same, or a person is asked.

A trade that was open before must be open still, or closed since; one that is open now must have
been open before, or opened since. Anything else means that another database was opened, or that the
bot has lost or invented a position. Pure; called by the supervisor at the first look after a start.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from automation.core.vitals import OpenTrade

Key = tuple[int, int]  # number and opening, for a fresh database counts from one again


@dataclass(frozen=True, slots=True)
class Ledger:
    """The trades that were open when a bot was last seen before its end."""

    trades: tuple[OpenTrade, ...]
    seen_ms: int  # epoch: what was opened later is nobody's surprise


def difference(before: Ledger, opened: Sequence[OpenTrade], closed: Iterable[Key]) -> str:
    """Say how the trades after a restart differ from those before; "" when they agree."""
    was = {key_of(trade): trade for trade in before.trades}
    now = {key_of(trade): trade for trade in opened}
    closed_keys = set(closed)
    lost = [t.pair for key, t in was.items() if key not in now and key not in closed_keys]
    new = [t.pair for key, t in now.items() if key not in was and t.opened_ms < before.seen_ms]
    turned = [
        t.pair for key, t in now.items()
        if key in was and (t.pair, t.is_short) != (was[key].pair, was[key].is_short)
    ]  # fmt: skip
    said = [
        f"{what} {', '.join(sorted(pairs))}"
        for what, pairs in (("it lost", lost), ("it knows anew", new), ("it changed", turned))
        if pairs
    ]
    return "; ".join(said)


def key_of(trade: OpenTrade) -> Key:
    """Tell a trade apart from all others of its bot."""
    return trade.trade_id, trade.opened_ms
