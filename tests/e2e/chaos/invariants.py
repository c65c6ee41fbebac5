"""What must hold whatever goes wrong: watched all the time, and checked once the fleet is quiet.

One process an identity, no orphan, restarts within budget, one supervisor that acts, every position
known to exactly one bot or reported, a stop within a minute of each entry or reported, no entry
while paused, and a journal that explains everything.
"""

import threading
import time
from contextlib import suppress
from typing import Self

import psutil

from tests.e2e.chaos import pilot, reconciling
from tests.e2e.chaos.exchange import BOTS
from tests.e2e.chaos.world import World

LOOK_EVERY_S = 2.0
PAUSED_AFTER_S = 8.0  # an order that was under way may still be filled
STOP_WITHIN_S = 60.0
SETTLED_WITHIN_S = 20.0


class Watch:
    """Looks at a flight every two seconds, in a thread of its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._naked: dict[str, float] = {}
        self._was_flat: dict[str, bool] = {}
        self._pids: set[int] = set()
        self._ended = threading.Event()
        self._looks = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.naked_s = 0.0
        """The longest that a position has had no stop lately; set to 0 by whoever asks."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error) -> None:
        self._ended.set()
        self._thread.join(20)

    def check(self) -> list[str]:
        """Give everything that does not hold, once the fleet is quiet."""
        world = self._world
        found, running = list(world.violations), world.processes()
        for name in BOTS:
            if len(running[name]) != 1:
                found.append(f"{name} runs {len(running[name])} times")
            found += self._unknown_positions(name)
        return [
            *found, *self._orphans(), *self._restarts(), *self._acted_twice(),
            *self._untold(), *self._unexplained(),
        ]  # fmt: skip

    def _run(self) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            running = self._world.processes()
            for name in BOTS:
                pids = {process.pid for process in running[name]}
                self._pids |= pids
                if len(pids) > 1 and len(self._world.processes()[name]) > 1:
                    self._violate(f"{name} runs {len(pids)} times")
                with suppress(OSError, ValueError, KeyError):
                    self._look_at(name)
            self._looks += 1

    def until_looked(self) -> None:
        """Wait for a look that began after now: what is well between two faults must be seen."""
        wanted = self._looks + 2
        while self._looks < wanted and self._thread.is_alive():
            time.sleep(0.1)

    def _look_at(self, name: str) -> None:
        world = self._world
        size, now_s = world.exchange.position(name), time.monotonic()
        paused_s = now_s - world.paused.get(name, now_s)
        if size is not None:
            was_flat, self._was_flat[name] = self._was_flat.get(name, True), not size
            if size and was_flat and paused_s > PAUSED_AFTER_S:
                self._violate(f"{name} entered a trade while it was paused")
        self._mind_stop(name, size, now_s)
        if paused_s > PAUSED_AFTER_S:
            state = world.ask(name, "show_config")["state"]
            if state == "running" and name in world.paused:
                self._violate(f"{name} may enter trades though it was paused")

    def _mind_stop(self, name: str, size: float | None, now_s: float) -> None:
        if size is None:
            return  # the exchange does not answer
        if not size or self._world.exchange.stops(name):
            self._naked.pop(name, None)
            return
        naked_s = now_s - self._naked.setdefault(name, now_s)
        self.naked_s = max(self.naked_s, naked_s)
        if naked_s <= STOP_WITHIN_S:
            return
        if not self._is_held(name, "stop") and not reconciling.is_told(self._world, name):
            self._violate(f"{name} had a position without a stop for {STOP_WITHIN_S:g} s")

    def _is_held(self, name: str, why: str) -> bool:
        bot = self._world.bot(name)
        return bool(bot and any(why in hold for hold in bot.holds))

    def _violate(self, sentence: str) -> None:
        if sentence not in self._world.violations:
            self._world.violations.append(sentence)

    def _unknown_positions(self, name: str) -> list[str]:
        """The position of an account must be its bot's."""
        world, size, booked = self._world, None, 0.0
        deadline = time.monotonic() + SETTLED_WITHIN_S
        while time.monotonic() < deadline:  # an order may be under way
            with suppress(OSError, ValueError):
                size = world.exchange.position(name)
                booked = sum(trade["amount"] for trade in world.ask(name, "status"))
                if size is not None and abs(booked - size) <= 1e-6 * max(1.0, size):
                    return []
            time.sleep(1)
        if self._is_held(name, "before the restart"):
            return []
        return [f"{name} holds {size} at the exchange, the bot knows of {booked}"]

    def _orphans(self) -> list[str]:
        world, status = self._world, self._world.status()
        if status is None:
            return ["no supervisor tells how the fleet is"]
        ours = {supervisor.pid for supervisor in world.supervisors}
        known = {unit.pid for unit in (*status.bots, status.simulator) if unit} | ours
        found = []
        for process in (p for some in world.processes().values() for p in some):
            with suppress(psutil.Error):
                parents = {parent.pid for parent in process.parents()}
                if process.pid not in known and not parents & known:
                    found.append(f"an orphan: {process.pid} {process.cmdline()[:4]}")
        return found

    def _restarts(self) -> list[str]:
        limits = pilot.TIMING.limits
        starts = [
            event.time_us / 1e6
            for event in self._world.journal("action.decided")
            if is_restart(event)
        ]
        allowed = max(limits.budget_least, round(limits.budget_per_bot * len(BOTS)))
        for at in starts:
            window = [s for s in starts if at <= s < at + limits.budget_window_s - 5]
            minute = [s for s in starts if at <= s < at + 55]
            if len(window) > allowed or len(minute) > limits.restarts_per_minute:
                return [f"{len(window)} restarts for failures within the budget's window"]
        return []

    def _acted_twice(self) -> list[str]:
        """What happens is told by one supervisor only.

        One that comes later may tell an end again that it finds: whether it was told it cannot know.
        """
        ends = [
            (event.payload["unit"], event.payload["pid"])
            for event in self._world.journal("bot.exited", "simulator.exited")
            if "while no supervisor watched" not in event.payload["reason"]
        ]
        return [f"{unit}'s end was told twice" for unit, pid in ends if ends.count((unit, pid)) > 1]

    def _untold(self) -> list[str]:
        told = {event.payload["pid"] for event in self._world.journal("bot.started", "bot.adopted")}
        return [f"the journal does not know process {pid}" for pid in self._pids - told]

    def _unexplained(self) -> list[str]:
        """Every start, stop and action must have its cause in the journal."""
        events = self._world.journal()
        numbers, found = {event.sequence for event in events}, []
        for event in events:
            needs = event.kind in ("bot.started", "action.done", "action.failed") or (
                event.kind == "bot.exited" and event.payload["is_expected"]
            )
            if needs and event.cause not in numbers:
                found.append(f"event {event.sequence} {event.kind} has no cause")
            if event.kind == "action.decided" and not event.payload["reason"]:
                found.append(f"event {event.sequence} has no reason")
        return found[:5]


def is_restart(event) -> bool:
    """Tell whether an event is the decision to start a bot that failed."""
    told = event.payload
    return told["action"] == "start" and "failed" in told["reason"] and told["unit"] in BOTS
