"""A supervisor of its own for the chaos suite: short times, `/admin` at the simulator, a guard less.

Run as a program: HOME ROOT FLEET GUARD STANDBY. GUARD is what is disabled, to see that the suite
notices, or a dash; STANDBY makes it wait until the supervisor that there is has gone.
"""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from automation.core.config import Fleet
from automation.core.errors import FreqfleetError
from automation.core.model import Health, Wish
from automation.core.vitals import Rung
from automation.fleet import crew, custody, observe
from automation.fleet.home import Home
from automation.fleet.ladder import climb
from automation.fleet.ladder.limits import Limits
from automation.fleet.lease import Lease, Terms
from automation.fleet.remedies import breakers, budget
from automation.fleet.supervisor import Supervisor, Surroundings
from automation.fleet.timing import Timing
from automation.fleet.unit import Unit
from automation.journal import Journal

TIMING = Timing(
    poll_s=1.0, eager_poll_s=0.5, detail_s=2.0, request_s=3.0, exchange_s=2.0, startup_s=90.0,
    # Freqtrade itself waits 30 s after an error of the exchange, so the loop gets a little more.
    slow_s=5.0, silent_s=8.0, hung_s=12.0, loop_late_s=36.0, loop_dead_s=48.0,
    restart_base_s=3.0, restart_cap_s=20.0, healthy_again_s=25.0, differs_after_s=4.0,
    limits=Limits(
        warmup_s=20.0, log_window_s=25.0, works_within_s=15.0, restart_works_within_s=60.0,
        order_wait_s=20.0, breaker_clear_s=6.0, trial_s=4.0, exchange_fresh_s=12.0, ban_s=12.0,
        stop_grace_s=30.0, budget_window_s=60.0, budget_least=6, budget_per_bot=2.0,
        restarts_per_minute=6, flaps=100,
    ),
)  # fmt: skip
NONE = "-"
GUARDS = ("budget", "lease", "pause memory", "position check", "stop rung", "breaker")


def _never(*_arguments, **_named) -> str:
    return ""


async def _take_anyway(_lease) -> None:
    """Take nothing, ask nobody."""


def disable(guard: str) -> None:
    """Take one guard out."""
    if guard == "budget":
        budget.refusal = _never
    elif guard == "lease":
        Lease.take, Lease.check = _take_anyway, _never
    elif guard == "pause memory":
        Unit.start_wish = property(lambda _unit: Wish.RUN)
    elif guard == "position check":
        custody.prepare_check = _never
    elif guard == "stop rung":
        observe.climb = _blind_to_stops
    elif guard == "breaker":
        breakers.step = lambda *_: ()
    elif guard != NONE:
        raise SystemExit(f"no guard {guard}")


def _blind_to_stops(*arguments, **named):
    return tuple(
        replace(found, health=Health.HEALTHY, is_due=False) if found.rung is Rung.STOPS else found
        for found in climb.climb(*arguments, **named)
    )


def with_admin(home: Path) -> None:
    """Have the simulator write a token for `/admin`."""
    render = crew.render_simulator

    def rendered(site, port, clock):
        launch = render(site, port, clock)
        token = ("--admin-token-file", str(home / "admin.token"))
        return replace(launch, argv=(*launch.argv, *token))

    crew.render_simulator = rendered


async def supervise(home: Path, root: Path, fleet: Fleet, *, stands_by: bool) -> None:
    with Journal.open(home / "journal.sqlite") as journal:
        lease = Lease(Home(home), journal.store, fleet.fleet, Terms(waits=stands_by))
        async with lease:
            around = Surroundings(root=root, timing=TIMING, lease=lease)
            await Supervisor(fleet, home, journal, around).run()


def main(at: str, root: str, fleet: str, guard: str = NONE, stands_by: str = "") -> None:
    home = Path(at)
    home.mkdir(parents=True, exist_ok=True)
    with_admin(home)
    disable(guard)
    flown = Fleet.model_validate_json(Path(fleet).read_text())
    try:
        asyncio.run(supervise(home, Path(root), flown, stands_by=bool(stands_by)))
    except FreqfleetError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main(*sys.argv[1:])
