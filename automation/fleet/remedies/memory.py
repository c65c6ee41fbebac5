"""What of the remedies outlives a supervisor: holds, quarantine, the trades before an end, restarts.

    holds.json      in a bot's folder: why its entries are stopped, why it is quarantined
    account.json    the trades that were open when it was last seen, and in which database
    restarts.json   in the state folder: when bots were restarted for failures

Refuses to decide. Called by the supervisor, its observer and its hands.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict

from automation.core.model import Hold
from automation.core.vitals import OpenTrade
from automation.fleet.home import Home, read_json, write_json
from automation.fleet.remedies.account import Ledger


def read_holds(home: Home, bot: str) -> tuple[tuple[Hold, ...], str]:
    """Read why a bot's entries are stopped, and why it is quarantined ("" when it is not)."""
    written = read_json(home.unit(bot) / "holds.json")
    try:
        holds = tuple(Hold(**hold) for hold in written.get("holds", []))
    except TypeError:
        holds = ()
    return holds, str(written.get("quarantine", ""))


def write_holds(home: Home, bot: str, holds: Sequence[Hold], quarantine: str) -> None:
    """Write why a bot's entries are stopped; nothing stands there when they are not."""
    path = home.unit(bot) / "holds.json"
    if not holds and not quarantine:
        path.unlink(missing_ok=True)
        return
    write_json(path, {"quarantine": quarantine, "holds": [asdict(hold) for hold in holds]})


def forget_quarantine(home: Home, bot: str) -> None:
    """Let the next fleet try again; holds that a person must lift stay."""
    holds, _ = read_holds(home, bot)
    write_holds(home, bot, [h for h in holds if h.needs_person and h.cause != "quarantine"], "")
    (home.unit(bot) / "account.json").unlink(missing_ok=True)


def read_ledger(home: Home, bot: str, database: str) -> Ledger | None:
    """Read the trades before an end; None when none were open, or in another database."""
    written = read_json(home.unit(bot) / "account.json")
    if written.get("database") != database:
        return None
    try:
        trades = tuple(OpenTrade(**trade) for trade in written["trades"])
        return Ledger(trades, int(written["seen_ms"])) if trades else None
    except (KeyError, TypeError, ValueError):
        return None


def write_ledger(home: Home, bot: str, database: str, ledger: Ledger) -> None:
    """Write the trades that are open now."""
    document = {
        "database": database,
        "seen_ms": ledger.seen_ms,
        "trades": [asdict(trade) for trade in ledger.trades],
    }
    write_json(home.unit(bot) / "account.json", document)


def read_restarts(home: Home, now_s: float) -> tuple[float, ...]:
    """Read when bots were restarted for failures, onto this supervisor's clock."""
    written = read_json(home.path / "restarts.json").get("at_epoch_s", [])
    offset_s = time.time() - now_s
    times = [float(at) - offset_s for at in written if isinstance(at, int | float)]
    return tuple(at_s for at_s in times if at_s <= now_s)


def write_restarts(home: Home, restarts_s: Sequence[float], now_s: float) -> None:
    """Write when bots were restarted for failures."""
    offset_s = time.time() - now_s
    document = {"at_epoch_s": [round(at_s + offset_s, 3) for at_s in restarts_s]}
    write_json(home.path / "restarts.json", document)
