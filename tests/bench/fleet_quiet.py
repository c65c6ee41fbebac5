"""What a quiet fleet writes to its journal: python -m tests.bench.fleet_quiet [MINUTES] [STRATEGY]

Three healthy dry-run bots on the simulator, whose strategies seldom trade, in real time and with the
supervisor's own times, alerts beside it. After a minute of warm-up the journal's events are counted,
by kind; those of trades and orders apart, for they are not of a quiet fleet. With a strategy named
all three fly that one: `DemoPulseStrategy` shows what open positions add. Prints one JSON document.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from automation.fleet import commands
from automation.journal import Journal
from tests.bench.fleet_recovery import until_well

STRATEGIES = {
    "trend": "TrendFollowingStrategy",
    "breakout": "VolatilityBreakoutStrategy",
    "reversion": "MeanReversionStrategy",
}
PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT")
WARM_S = 60.0
OF_TRADES = ("trade.", "order.")


def fleet_of(strategy: str) -> dict[str, object]:
    bots = [{"name": name, "strategy": strategy or own} for name, own in STRATEGIES.items()]
    shared = {"exchange": {"venue": "simulator"}, "defaults": {"pairs": PAIRS}}
    return {"fleet": "quiet", **shared, "bots": bots}


def main(minutes: float, strategy: str) -> None:
    with tempfile.TemporaryDirectory(prefix="freqfleet-quiet-") as name:
        home, fleet = Path(name) / "home", Path(name) / "fleet.json"
        fleet.write_text(json.dumps(fleet_of(strategy)))
        apart = {"FREQFLEET_HOME": str(home), "FREQFLEET_ANCHORS": f"{name}/anchors"}
        env, program = {**os.environ, **apart}, [sys.executable, "-m", "automation"]
        up = [*program, "up", "--detach", "-c", str(fleet)]
        subprocess.run(up, env=env, check=True, capture_output=True)
        try:
            for bot in STRATEGIES:
                until_well(home, bot, 0)
            time.sleep(WARM_S)
            began_us = time.time_ns() // 1000
            time.sleep(minutes * 60)
            found = told(home, began_us, minutes) | how_they_are(home)
        finally:
            subprocess.run([*program, "down"], env=env, check=True, capture_output=True)
    sys.stdout.write(json.dumps(found | {"load_at_end": round(os.getloadavg()[0], 1)}) + "\n")


def told(home: Path, since_us: int, minutes: float) -> dict[str, object]:
    """Count what was written since an instant."""
    with Journal.open(home / "journal.sqlite", read_only=True) as journal:
        events = [e for e in journal.search(limit=1_000_000) if e.time_us >= since_us]
    trading = Counter(e.kind for e in events if e.kind.startswith(OF_TRADES))
    quiet = Counter(e.kind for e in events if not e.kind.startswith(OF_TRADES))
    return {
        "bots": len(STRATEGIES),
        "minutes": minutes,
        "events_a_minute_a_bot": round(quiet.total() / minutes / len(STRATEGIES), 2),
        "of_trades_a_minute_a_bot": round(trading.total() / minutes / len(STRATEGIES), 2),
        "kinds": dict(quiet.most_common()),
        "kinds_of_trades": dict(trading.most_common()),
        "by_bot": dict(Counter(e.bot or "fleet" for e in events).most_common()),
    }


def how_they_are(home: Path) -> dict[str, object]:
    """Tell whether all are healthy, and how many trades each has open."""
    found = commands.status(home)
    bots = found.bots if found is not None else ()
    well = bool(bots) and all(bot.health == "healthy" for bot in bots)
    return {"healthy_at_end": well, "open_at_end": {bot.name: bot.open_trades for bot in bots}}


if __name__ == "__main__":
    main(
        float(sys.argv[1]) if len(sys.argv) > 1 else 5.0,
        sys.argv[2] if len(sys.argv) > 2 else "",
    )
