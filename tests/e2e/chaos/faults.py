"""What goes wrong: each fault does its harm, and returns once the fleet should be able to recover.

Where a machine must not go on alone, a fault does afterwards what a person would do who was told.
`World.harm` marks the instant from which on it is counted until the harm was noticed.
"""

import os
import random
import resource
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress

from tests.e2e.chaos import reconciling
from tests.e2e.chaos.exchange import ALGO, BOTS, ORDER
from tests.e2e.chaos.invariants import is_restart
from tests.e2e.chaos.world import World

Fault = Callable[[World, random.Random], None]


def one_of(dice: random.Random) -> str:
    return dice.choice(sorted(BOTS))


def killed(world: World, dice: random.Random) -> None:
    """kill -9."""
    world.kill(one_of(dice))


def stopped(world: World, dice: random.Random) -> None:
    """SIGSTOP, and nobody continues it."""
    world.stop_signal(one_of(dice), signal.SIGSTOP)


def api_hangs(world: World, dice: random.Random) -> None:
    """The interpreter's lock is held for two minutes: nothing answers."""
    _hang(world, one_of(dice), "hang-api")


def loop_hangs(world: World, dice: random.Random) -> None:
    """The API answers, and the trader does not loop."""
    _hang(world, one_of(dice), "hang-loop")


def _hang(world: World, name: str, how: str) -> None:
    path = world.home / "bots" / name / how
    path.write_text(str(120 * world.speed))
    world.until(lambda: not path.exists(), f"{name} does not loop")
    world.harm()


def disk_full(world: World, dice: random.Random) -> None:
    """No file of the process may grow for a while: to it the disk is full."""
    _fill_disk(world, world.pid(one_of(dice)), 25.0)


def disk_full_for_all(world: World, _dice: random.Random) -> None:
    """The same for the supervisor, which has to go on supervising."""
    assert world.supervisor is not None
    _fill_disk(world, world.supervisor.pid, 8.0)


def _fill_disk(world: World, pid: int, lasts_s: float) -> None:
    world.harm()
    with suppress(ProcessLookupError):
        _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, most))
        time.sleep(lasts_s)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))


def database_locked(world: World, dice: random.Random) -> None:
    """Somebody else holds the bot's database for longer than it waits."""
    connection = world.connect(one_of(dice))
    with suppress(sqlite3.OperationalError):
        connection.execute("BEGIN EXCLUSIVE")
        world.harm()
        time.sleep(14)
        connection.execute("ROLLBACK")
    connection.close()


def database_corrupted(world: World, dice: random.Random) -> None:
    """After a crash the database is no database any more, until a person puts a copy back."""
    name = one_of(dice)
    kept = _copy_database(world, name)
    world.kill(name)
    world.database(name).write_bytes(b"this is no database" * 500)
    if not world.until_told(name, "bot.exited", within_s=20):
        world.violations.append(f"{name} has no database and nobody was told")
    world.until(lambda: (bot := world.bot(name)) and bot.restarts, f"{name} is not tried again")
    time.sleep(6)  # it fails to start
    _put_back(world, name, kept)


def database_lost(world: World, dice: random.Random) -> None:
    """After a crash another database is found, while a position is open; a person puts it back."""
    name = one_of(dice)
    kept = _copy_database(world, name)
    size = world.exchange.position(name) or 0.0
    world.kill(name)
    _remove_database(world, name)
    if not world.until_told(name, "bot.trades_differ", within_s=45):
        world.violations.append(f"{name} lost its open trade and nobody was told")
    if (world.exchange.position(name) or 0.0) > 1.5 * size:
        world.violations.append(f"{name} entered a trade beside the one it lost")
    _put_back(world, name, kept)


def _copy_database(world: World, name: str):
    """Have a trade open that the supervisor knows of, and copy the database."""
    (world.home / "bots" / name / "hold-on").touch()
    world.until_trading(name)
    time.sleep(4)  # the supervisor writes down what is open
    kept = world.folder / f"{name}.kept"
    kept.unlink(missing_ok=True)
    source, target = world.connect(name), sqlite3.connect(kept)
    source.backup(target)
    source.close()
    target.close()
    return kept


def _remove_database(world: World, name: str) -> None:
    path = world.database(name)
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def _put_back(world: World, name: str, kept) -> None:
    world.act(name, "stop")
    path = world.database(name)
    _remove_database(world, name)
    shutil.copyfile(kept, path)
    (world.home / "bots" / name / "hold-on").unlink(missing_ok=True)
    world.act(name, "start")
    world.until(
        lambda: (bot := world.bot(name)) and bot.pid and bot.last_loop_age_s is not None,
        f"{name} does not come back with its database",
    )
    world.act(name, "resume")


def network_cut(world: World, dice: random.Random) -> None:
    """The exchange answers one account no more."""
    world.harm()
    armed = world.exchange.arm(kind="outage", lasts=12, match={"account": one_of(dice)})
    time.sleep(12)
    _must_have_hit(world, armed)


def exchange_out(world: World, _dice: random.Random) -> None:
    """The exchange answers nobody, and nobody may be restarted for it."""
    world.harm()
    before = _restarts(world)
    world.exchange.arm(kind="outage", lasts=12)
    time.sleep(13)
    if _restarts(world) > before:
        world.violations.append("a bot was restarted while the exchange was out")


def clock_skewed(world: World, dice: random.Random) -> None:
    """The exchange's clock is 7 s off."""
    world.exchange.skew_ms = dice.choice((-7000, 7000))
    world.harm()
    world.exchange.arm(kind="clock_skew", offset_ms=world.exchange.skew_ms, lasts=12)
    time.sleep(12)
    world.exchange.skew_ms = 0


def banned(world: World, dice: random.Random) -> None:
    """Everybody is told 418, and a bot dies meanwhile: it must not be started before that is over."""
    world.harm()
    world.exchange.arm(kind="error", status=418, code=-1003, retry_after=10, lasts=18)
    until_s = world.harmed_s + 17.5
    while time.monotonic() < world.harmed_s + 8 and not any(
        event.time_us > world.harmed_us for event in world.journal("dependency.fails")
    ):
        time.sleep(0.3)
    harmed_s, harmed_us = world.harmed_s, world.harmed_us
    before = _restarts(world)
    world.kill(one_of(dice))
    world.harmed_s, world.harmed_us = harmed_s, harmed_us
    time.sleep(max(0.0, until_s - time.monotonic()))
    if _restarts(world) > before:
        world.violations.append("a bot was restarted while the exchange banned the address")


def stop_unacknowledged(world: World, dice: random.Random) -> None:
    """A stop is placed and nobody hears of it: the old one is gone, so the bot places another."""
    name = one_of(dice)
    world.until_trading(name)
    match = {"method": "POST", "path": f"/fapi/{ALGO}", "account": name}
    world.harm()
    armed = world.exchange.arm(kind="answer_lost", match=match, times=1, lasts=20)
    with suppress(OSError):
        world.exchange.cancel_stops(name)
    time.sleep(10)
    _must_have_hit(world, armed)


def order_unacknowledged(world: World, dice: random.Random) -> None:
    """An entry or an exit is carried out and nobody hears of it: a person must be told."""
    name = one_of(dice)
    match = {"method": "POST", "path": f"/fapi/{ORDER}", "account": name}
    armed = world.exchange.arm(kind="answer_lost", match=match, times=1, lasts=140)
    exit_now = world.home / "bots" / name / "exit-now"
    exit_now.touch()  # an exit, if a trade is open; else the next entry
    world.until(lambda: world.exchange.hits(armed), f"{name} sends no order", 140)
    world.harm()
    world.until(lambda: reconciling.differs(world, name), f"{name} knows of what was lost", 60)
    reconciling.reconcile(world)
    exit_now.unlink()


def stops_refused(world: World, dice: random.Random) -> None:
    """No stop can be placed for longer than a position may be without one."""
    name = one_of(dice)
    holds_on = world.home / "bots" / name / "hold-on"
    holds_on.touch()
    world.until_trading(name)
    match = {"method": "POST", "path": f"/fapi/{ALGO}", "account": name}
    armed = world.exchange.arm(kind="outage", match=match, lasts=70)
    world.exchange.cancel_stops(name)
    world.harm()
    time.sleep(70)
    holds_on.unlink()
    _must_have_hit(world, armed)


def file_broken(world: World, dice: random.Random) -> None:
    """The strategy is broken while it is edited, and the bot dies in that moment."""
    path = world.folder / "strategies" / "Eager.py"
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2] + "\n    def broken(")
    try:
        world.kill(one_of(dice))
        time.sleep(3)
        world.until_well()
    finally:
        path.write_text(whole)


def state_broken(world: World, dice: random.Random) -> None:
    """A state file is half written, and the supervisor dies."""
    names = ("memory.json", "account.json", "process.json", "api.json")
    path = world.home / "bots" / one_of(dice) / dice.choice(names)
    world.harm()
    world.kill_supervisor()
    if path.exists():
        path.write_bytes(path.read_bytes()[:7])
    world.up()


def supervisor_killed(world: World, dice: random.Random) -> None:
    """kill -9 of the supervisor; another is started a little later."""
    world.harm()
    world.kill_supervisor()
    time.sleep(dice.uniform(0, 4))
    world.up()


def supervisor_stopped(world: World, dice: random.Random) -> None:
    """SIGSTOP of the supervisor, with another one standing by; a bot dies meanwhile. Then it wakes."""
    former = world.supervisor
    assert former is not None
    name = one_of(dice)
    pid = world.pid(name)
    successor = world.up(stands_by=True)
    time.sleep(3)
    world.harm()
    former.send_signal(signal.SIGSTOP)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    time.sleep(9)
    former.send_signal(signal.SIGCONT)
    world.supervisor = successor
    deadline = time.monotonic() + 10
    while former.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    if former.poll() is None:
        world.violations.append("a supervisor goes on though another took the fleet over")


def two_at_once(world: World, dice: random.Random) -> None:
    """A bot dies, and the supervisor in the middle of starting it again."""
    world.kill(one_of(dice))
    time.sleep(dice.uniform(0, 1.5))
    world.kill_supervisor()
    world.up()


def killed_while_paused(world: World, dice: random.Random) -> None:
    """A paused bot dies, and must come back paused."""
    name = one_of(dice)
    world.act(name, "pause")
    world.paused[name] = time.monotonic()
    time.sleep(2)
    world.kill(name)
    world.until(lambda: not world.is_well(name), f"{name} does not die")
    world.until(lambda: world.is_well(name), f"{name} is not well")
    time.sleep(10)  # long enough to be seen running
    world.paused.pop(name)
    world.act(name, "resume")


def killed_again_and_again(world: World, dice: random.Random) -> None:
    """Every bot dies as soon as it is up: the budget must end that."""
    world.harm()
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for name in sorted(BOTS):
            bot = world.bot(name)
            if bot is not None and bot.pid and (bot.uptime_s or 0) > 1:
                with suppress(ProcessLookupError):
                    os.kill(bot.pid, signal.SIGKILL)
        time.sleep(dice.uniform(0.2, 0.6))


def _must_have_hit(world: World, armed: str) -> None:
    if not world.exchange.hits(armed):
        world.violations.append(f"the fault {armed} has hit nothing, so this proves nothing")


def _restarts(world: World) -> int:
    return sum(is_restart(event) for event in world.journal("action.decided"))


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        killed, stopped, api_hangs, loop_hangs, disk_full, disk_full_for_all, database_locked,
        database_corrupted, database_lost, network_cut, exchange_out, clock_skewed, banned,
        stop_unacknowledged, order_unacknowledged, stops_refused, file_broken, state_broken,
        supervisor_killed, supervisor_stopped, two_at_once, killed_while_paused,
        killed_again_and_again,
    )
}  # fmt: skip
SILENT = frozenset(
    {
        "stop_unacknowledged", "network_cut", "clock_skewed", "database_locked", "disk_full",
        "disk_full_for_all", "exchange_out", "order_unacknowledged",
    }
)  # fmt: skip
"""What a fleet may get over by itself before anything has to be noticed."""

LONG_ONES = frozenset({"stops_refused", "killed_again_and_again", "order_unacknowledged"})
"""What takes well over a minute."""
