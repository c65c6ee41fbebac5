"""Who did what: the account of a period, for the operator and for compliance.

Decides what is worth a line (actions of people and programs, refused logins, changed limits, signs
of tampering, gaps). Kinds say by their topics where they belong. Refuses to judge what it lists.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from automation.journal.event import Event
from automation.journal.journal import Journal
from automation.journal.kinds import KINDS, Kinds
from automation.journal.store import Query
from automation.journal.verification import Verification

PAGE = 5_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TOPICS = {
    "refused login": "Refused logins",
    "risk limit": "Risk limits changed",
    "live trading": "Live trading enabled",
    "stop": "Bots commanded by hand, panic",
    "retention": "Details dropped by retention",
    "tampering": "Signs of tampering",
}
"""The topics a kind can have, with the heading each gets in the report."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which nothing was written, or time went back."""

    after: int
    since: datetime
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """The account of a period."""

    since: datetime
    until: datetime
    events: int
    actors: dict[str, dict[str, int]]
    """Actor to kind to how often."""
    addresses: dict[str, dict[str, int]]
    """Address of the caller to actor to how often."""
    topics: dict[str, list[dict[str, Any]]]
    """Topic to what happened: sequence, time, actor, address, bot and the sentence."""
    gaps: list[Gap] = field(default_factory=list)
    verification: Verification | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give the report as JSON-ready values."""
        found = self.verification
        return {
            "from": self.since.isoformat(),
            "to": self.until.isoformat(),
            "events": self.events,
            "actors": self.actors,
            "addresses": self.addresses,
            "topics": self.topics,
            "gaps": [
                {
                    "after": gap.after,
                    "since": gap.since.isoformat(),
                    "until": gap.until.isoformat(),
                    "reason": gap.reason,
                }
                for gap in self.gaps
            ],
            "verified": None if found is None else found.is_whole,
            "verification": None if found is None else found.sentence,
        }


def report(
    journal: Journal,
    since: datetime,
    until: datetime,
    *,
    longest_silence: timedelta = timedelta(minutes=15),
    verification: Verification | None = None,
    kinds: Kinds = KINDS,
) -> Report:
    """Give the account of a period; `verification` is put beside it when there is one.

    A silence that reaches over an end of the period is a gap too, with its own ends.
    """
    watch = _GapWatch(longest_silence)
    watch.see_all(journal.tail(1, Query(until=since)))
    actors: dict[str, Counter[str]] = {}
    addresses: dict[str, Counter[str]] = {}
    topics: dict[str, list[dict[str, Any]]] = {topic: [] for topic in TOPICS}
    count = after = 0
    wanted = Query(since=since, until=until)
    while page := journal.read(after, PAGE, wanted):
        for event in page:
            count += 1
            watch.see(event)
            actors.setdefault(event.actor, Counter())[event.kind] += 1
            if event.address:
                addresses.setdefault(event.address, Counter())[event.actor] += 1
            kind = kinds.get(event.kind)
            for topic in sorted(kind.topics if kind else ()):
                topics.setdefault(topic, []).append(_item(event, kinds))
        after = page[-1].sequence
    following = journal.read(watch.sequence, 1, Query(since=until))
    watch.see_all(following)
    if not following:
        watch.close(_EPOCH + timedelta(microseconds=journal.now_us()))
    return Report(
        since,
        until,
        count,
        {actor: dict(actors[actor]) for actor in sorted(actors)},
        {address: dict(addresses[address]) for address in sorted(addresses)},
        topics,
        watch.gaps,
        verification,
    )


def to_markdown(account: Report) -> str:
    """Write a report for people."""
    lines = [f"# Journal from {account.since:%Y-%m-%d %H:%M} to {account.until:%Y-%m-%d %H:%M} UTC"]
    found = account.verification
    lines += [
        "",
        f"{account.events} events. " + (f"{found.sentence}." if found else "Not verified."),
    ]
    lines += ["", "## Who did what", ""]
    lines += [
        f"- {_plain(actor)}: " + ", ".join(f"{kind} × {n}" for kind, n in sorted(did.items()))
        for actor, did in account.actors.items()
    ] or ["Nobody did anything."]
    for topic, items in account.topics.items():
        lines += ["", f"## {TOPICS.get(topic, topic.capitalize())}", ""]
        lines += [
            f"- {item['time']} (event {item['sequence']}) {_plain(item['actor'])}"
            + (f" from {_plain(item['address'])}" if item["address"] else "")
            + f": {_plain(item['sentence'])}"
            for item in items
        ] or ["None."]
    lines += ["", "## Gaps", ""]
    lines += [
        f"- {gap.since.isoformat()} to {gap.until.isoformat()} (after event {gap.after}): {gap.reason}"
        for gap in account.gaps
    ] or ["None."]
    return "\n".join(lines) + "\n"


def _item(event: Event, kinds: Kinds) -> dict[str, Any]:
    return {
        "sequence": event.sequence,
        "time": event.time.isoformat(),
        "actor": event.actor,
        "address": event.address,
        "bot": event.bot,
        "sentence": kinds.sentence(event),
    }


def _plain(text: str) -> str:
    # What somebody typed at a login must not become a link or a heading.
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|!" else c for c in text)


class _GapWatch:
    """Notices silence and time going back between neighbouring events."""

    def __init__(self, longest_silence: timedelta) -> None:
        self.gaps: list[Gap] = []
        self._longest, self._last = longest_silence, None

    _last: Event | None

    @property
    def sequence(self) -> int:
        """The last event that was seen."""
        return 0 if self._last is None else self._last.sequence

    def see_all(self, events: Iterable[Event]) -> None:
        for event in events:
            self.see(event)

    def close(self, now: datetime) -> None:
        """Notice a silence that lasts still."""
        if self._last is not None and now - self._last.time > self._longest:
            self._note(self._last, now, now - self._last.time)

    def _note(self, last: Event, until: datetime, passed: timedelta) -> None:
        reason = f"nothing was written for {passed.total_seconds() / 60:.0f} minutes"
        self.gaps.append(Gap(last.sequence, last.time, until, reason))

    def see(self, event: Event) -> None:
        last, self._last = self._last, event
        if last is None or event.sequence < last.sequence:
            return
        passed = event.time - last.time
        if passed > self._longest:
            self._note(last, event.time, passed)
        elif passed < timedelta(seconds=-1):
            reason = f"time went back by {-passed.total_seconds():.1f} s"
            self.gaps.append(Gap(last.sequence, last.time, event.time, reason))
