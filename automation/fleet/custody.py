"""Keeps a bot from entering trades, for as long as there is a reason to, and tells why.

Holds, quarantine, and the check that after a restart the open trades are those of before. Decides
what is written down and in which order (a hold before its effect: killed in between, it must stand);
refuses to decide when there is a reason (`decide`, `remedies`). Called by act, observe and operator.
"""

from typing import Any

from automation.core.model import Hold
from automation.fleet.chronicle import SUPERVISOR, Chronicle, Posted
from automation.fleet.home import Home
from automation.fleet.probe import BotProbe
from automation.fleet.remedies import events
from automation.fleet.remedies.account import Ledger, difference, key_of
from automation.fleet.remedies.memory import read_ledger, write_holds, write_ledger
from automation.fleet.unit import Unit

TRADES = "trades"
QUARANTINE = "quarantine"


def hold(
    home: Home, chronicle: Chronicle, unit: Unit, new: Hold, cause: Posted | None = None
) -> None:
    """Add a reason for which the bot enters no trades."""
    others = [known for known in unit.holds if known.cause != new.cause]
    if new in unit.holds:
        return
    unit.holds = (*others, new)
    write_holds(home, unit.name, unit.holds, unit.quarantine)
    facts = events.Held(cause=new.cause, reason=new.reason, needs_person=new.needs_person)
    chronicle.tell("bot.held", facts, bot=unit.name, cause=cause)


def lift(
    home: Home, chronicle: Chronicle, unit: Unit, reason: str, actor: str = SUPERVISOR
) -> None:
    """Lift every hold and the quarantine; nothing is told when there was none."""
    if not unit.holds and not unit.quarantine:
        return
    unit.holds, unit.quarantine = (), ""
    write_holds(home, unit.name, (), "")
    chronicle.tell("bot.released", events.Released(reason=reason), bot=unit.name, actor=actor)


def relieve(home: Home, unit: Unit, cause: str) -> None:
    """Let one cause hold the bot no longer; other holds stay. The caller tells why."""
    others = tuple(known for known in unit.holds if known.cause != cause)
    if others != unit.holds:
        unit.holds = others
        write_holds(home, unit.name, others, unit.quarantine)


def quarantine(
    home: Home, chronicle: Chronicle, unit: Unit, reason: str, cause: Posted | None
) -> None:
    """Give a bot up until a person sees to it."""
    unit.quarantine = reason
    chronicle.tell("bot.quarantined", events.Quarantined(reason=reason), bot=unit.name, cause=cause)
    hold(home, chronicle, unit, Hold(QUARANTINE, reason, needs_person=True), cause)


def pardon(home: Home, chronicle: Chronicle, unit: Unit, actor: str) -> None:
    """End a quarantine, because a person wants the bot tried again; other holds stay."""
    if not unit.quarantine:
        return
    unit.quarantine = ""
    unit.holds = tuple(known for known in unit.holds if known.cause != QUARANTINE)
    write_holds(home, unit.name, unit.holds, "")
    told = events.Released(reason="it is to be tried again")
    chronicle.tell("bot.released", told, bot=unit.name, actor=actor)


def write_down_trades(home: Home, unit: Unit, database: str) -> None:
    """Write down which trades are open, when that has changed; DependencyError as the disk does."""
    if unit.is_to_be_checked or unit.vitals.seen_s is None:
        return
    trades = unit.vitals.trades
    known = unit.ledger.trades if unit.ledger is not None else ()
    if unit.ledger is not None and {key_of(t) for t in known} == {key_of(t) for t in trades}:
        return
    seen_ms = max((trade.opened_ms for trade in trades), default=0)
    unit.ledger = Ledger(trades, seen_ms)
    write_ledger(home, unit.name, database, unit.ledger)


def prepare_check(home: Home, chronicle: Chronicle, unit: Unit, database: str) -> None:
    """Have a bot that had open trades start with its entries stopped, until they were compared."""
    unit.ledger = read_ledger(home, unit.name, database)
    unit.is_to_be_checked = unit.ledger is not None
    if unit.ledger is None or any(known.cause == TRADES for known in unit.holds):
        return
    trades = len(unit.ledger.trades)
    reason = f"its {trades} open trades of before the restart are not confirmed yet"
    hold(home, chronicle, unit, Hold(TRADES, reason, needs_person=False))


def take_up_check(home: Home, unit: Unit, database: str) -> None:
    """Go on with a comparison that an earlier supervisor prepared and did not come to."""
    if not any(known.cause == TRADES and not known.needs_person for known in unit.holds):
        return
    unit.ledger = read_ledger(home, unit.name, database)
    unit.is_to_be_checked = unit.ledger is not None
    if unit.ledger is None:
        relieve(home, unit, TRADES)


def check_trades(home: Home, chronicle: Chronicle, unit: Unit, probe: BotProbe) -> bool:
    """Compare the trades after a restart with those before, once the bot has told all of its own.

    When they agree nothing holds the bot for them any more, else a person has to look. True when
    they were compared now.
    """
    ledger, closed = unit.ledger, probe.trades.closed
    if not unit.is_to_be_checked or ledger is None or closed is None:
        return False
    unit.is_to_be_checked = False
    opened = unit.vitals.trades
    differs = difference(ledger, opened, (_key(trade) for trade in closed))
    others = tuple(known for known in unit.holds if known.cause != TRADES or known.needs_person)
    if not differs:
        unit.holds = others
        write_holds(home, unit.name, unit.holds, unit.quarantine)
        told = events.TradesAgree(trades=len(ledger.trades))
        chronicle.tell("bot.trades_agree", told, bot=unit.name)
        return True
    facts = events.TradesDiffer(difference=differs, before=len(ledger.trades), after=len(opened))
    chronicle.tell("bot.trades_differ", facts, bot=unit.name)
    reason = (
        f"its open trades are not those of before the restart: {differs}; "
        f"compare with the exchange, then freqfleet bot resume {unit.name}"
    )
    hold(home, chronicle, unit, Hold(TRADES, reason, needs_person=True))
    return True


def _key(trade: dict[str, Any]) -> tuple[int, int]:
    return int(trade["trade_id"]), int(trade["open_timestamp"])
