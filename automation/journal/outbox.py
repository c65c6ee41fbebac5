"""Effects with the outside world: written down first, done after, marked when done.

Decides who may try an effect (one worker per lease), when it is tried again, and when it is given
up. An effect has a key: the other side gets it with every attempt, so that a second one can be
recognised. Refuses to know what sending means; senders are given to it by kind.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from automation.core.errors import DependencyError, FreqfleetError, PermanentError, TransientError
from automation.journal.catalogue import EffectGivenUp
from automation.journal.event import Draft, Event, encode_payload
from automation.journal.journal import Journal
from automation.journal.store import Effect, EffectState, PendingEffect, Settlement

Send = Callable[["Task"], Awaitable[str]]
"""Does an effect and says what the other side answered."""


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt at an effect."""

    key: str
    kind: str
    payload: dict[str, Any]
    attempt: int


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often an effect is tried."""

    lease_s: float = 60.0
    """A worker that died holds an effect no longer than this; sending must be quicker."""
    first_pause_s: float = 1.0
    longest_pause_s: float = 300.0
    attempts: int = 100
    at_once: int = 20
    look_every_s: float = 1.0


def effect(journal: Journal, key: str, kind: str, payload: Mapping[str, Any]) -> Effect:
    """Prepare an effect; the same key is only ever taken once.

    Secrets in the payload are masked: senders resolve them themselves.
    """
    return Effect(key, kind, encode_payload(kind, payload).decode(), journal.now_us())


class Outbox:
    """Does the effects that wait in the journal's store."""

    def __init__(
        self, journal: Journal, senders: Mapping[str, Send], *, patience: Patience | None = None
    ) -> None:
        """`senders` maps kinds of effects to what does them; other kinds wait for other workers."""
        self._journal, self._senders = journal, senders
        self._patience = patience or Patience()
        self._new = asyncio.Event()

    async def put(self, effects: Iterable[Effect], events: Iterable[Draft] = ()) -> list[Event]:
        """Write effects and the events that tell of them, all together, durably."""
        future = self._journal.submit(events, effects=effects)
        written = await asyncio.wrap_future(future)
        self._new.set()
        return written

    async def run(self) -> None:
        """Do what is due, until cancelled."""
        while True:
            self._new.clear()
            try:
                did = await self.run_once()
            except DependencyError:
                did = 0  # the store is down; what waits in it waits on
            if not did:
                try:
                    # Not wait_for: before Python 3.12 it can swallow a cancellation that comes with the event.
                    async with asyncio.timeout(self._patience.look_every_s):
                        await self._new.wait()
                except TimeoutError:
                    continue

    async def run_once(self) -> int:
        """Try everything that is due once; how many effects that were."""
        now_us, lease_us = self._journal.now_us(), round(self._patience.lease_s * 1e6)
        claimed = await asyncio.to_thread(
            self._journal.store.claim, self._patience.at_once, now_us, lease_us, [*self._senders]
        )
        async with asyncio.TaskGroup() as group:
            for pending in claimed:
                group.create_task(self._attempt(pending))
        return len(claimed)

    async def _attempt(self, pending: PendingEffect) -> None:
        task = Task(pending.key, pending.kind, orjson.loads(pending.payload_json), pending.attempts)
        try:
            async with asyncio.timeout(self._patience.lease_s / 2):
                answer = await self._senders[pending.kind](task)
        except (FreqfleetError, TimeoutError) as error:
            await self._failed(pending, error)
        else:
            await self._settle(pending.key, "done", 0, answer)

    async def _failed(self, pending: PendingEffect, error: FreqfleetError | TimeoutError) -> None:
        reason = str(error) or "no answer in time"
        if isinstance(error, PermanentError) or pending.attempts >= self._patience.attempts:
            said = EffectGivenUp(
                effect_id=pending.key,
                effect=pending.kind,
                attempts=pending.attempts,
                reason=reason,
            )
            event = Draft("outbox.given_up", "outbox", "journal", said)
            await self._settle(pending.key, "given_up", 0, reason, [event])
            return
        pause_s = min(
            self._patience.longest_pause_s,
            self._patience.first_pause_s * 2 ** min(pending.attempts - 1, 30),
        )
        if isinstance(error, TransientError):
            pause_s = max(pause_s, error.retry_after_s)
        due_us = self._journal.now_us() + round(pause_s * 1e6)
        await self._settle(pending.key, "pending", due_us, reason)

    async def _settle(
        self,
        key: str,
        state: EffectState,
        due_us: int,
        result: str,
        events: Iterable[Draft] = (),
    ) -> None:
        settlement = Settlement(key, state, due_us, result[:500])
        # Kept in memory while the store is down: what was sent is not sent again for that.
        self._journal.submit(events, settlements=[settlement], keep=True)
