"""A supervisor of its own for the chaos suite: short times, and a guard less if asked.

Run as a program: HOME ROOT FLEET [GUARD]. GUARD is what is disabled, to see that the suite notices.
"""

import asyncio
import sys
from pathlib import Path

from automation.core.config import Fleet
from automation.fleet import custody
from automation.fleet.ladder.limits import Limits
from automation.fleet.supervisor import Supervisor, Surroundings
from automation.fleet.timing import Timing
from automation.journal import Journal

TIMING = Timing(
    poll_s=1.0, eager_poll_s=0.5, detail_s=2.0, request_s=3.0, exchange_s=2.0, startup_s=90.0,
    slow_s=5.0, silent_s=8.0, hung_s=12.0, loop_late_s=60.0, loop_dead_s=120.0,
    restart_base_s=3.0, restart_cap_s=20.0, healthy_again_s=25.0,
    limits=Limits(
        warmup_s=20.0, log_window_s=25.0, works_within_s=15.0, restart_works_within_s=60.0,
        order_wait_s=20.0, breaker_clear_s=6.0, trial_s=4.0, exchange_fresh_s=12.0, ban_s=12.0,
        stop_grace_s=30.0, budget_window_s=120.0, budget_least=6, budget_per_bot=2.0,
        restarts_per_minute=6, flaps=100,
    ),
)  # fmt: skip


def disable(guard: str) -> None:
    """Take one guard out."""
    if guard == "position check":
        custody.prepare_check = lambda *_: None
    elif guard:
        raise SystemExit(f"no guard {guard}")


async def fly(home: Path, root: Path, fleet: Fleet) -> None:
    with Journal.open(home / "journal.sqlite") as journal:
        around = Surroundings(root=root, timing=TIMING)
        await Supervisor(fleet, home, journal, around).run()


if __name__ == "__main__":
    at, disabled = Path(sys.argv[1]), (*sys.argv[4:], "")[0]
    at.mkdir(parents=True, exist_ok=True)
    disable(disabled)
    flown = Fleet.model_validate_json(Path(sys.argv[3]).read_text())
    asyncio.run(fly(at, Path(sys.argv[2]), flown))
