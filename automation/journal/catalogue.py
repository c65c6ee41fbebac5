"""The kinds of events that the journal writes about itself.

The other rooms define theirs beside their own code.
"""

from automation.journal.kinds import Facts, define


class Healed(Facts):
    """The store writes again after a fault."""

    fault: str
    down_s: float
    kept_events: int


class ClockSetBack(Facts):
    """The machine's clock was set back; the sequence tells the true order."""

    back_s: float


class Broken(Facts):
    """Verification found a bad event or a checkpoint that does not hold."""

    sequence: int
    reason: str


class CheckpointFailed(Facts):
    """A checkpoint could not be signed or its anchor not be written."""

    reason: str


class Sealed(Facts):
    """Retention dropped the payloads of a stretch; the hashes stay provable."""

    first: int
    last: int
    kept_kinds: tuple[str, ...] = ()
    archive: str = ""
    archive_sha256: str = ""


class ConsumerStuck(Facts):
    """A consumer fails again and again at one event."""

    consumer: str
    sequence: int
    attempts: int
    reason: str


class EffectGivenUp(Facts):
    """An effect of the outbox failed for good."""

    effect_id: str
    effect: str
    attempts: int
    reason: str


define(
    "journal.healed",
    Healed,
    "The journal is written again after {down_s:.0f} s; {kept_events} events had waited: {fault}",
)
define(
    "journal.clock_set_back",
    ClockSetBack,
    "The clock was set back by {back_s:.1f} s; the numbers of events tell the true order",
    topics=["gap"],
)
define(
    "journal.broken",
    Broken,
    "The journal is broken: event {sequence} is the first bad one, {reason}",
    topics=["tampering"],
)
define(
    "journal.checkpoint_failed",
    CheckpointFailed,
    "The journal could not be signed: {reason}",
    topics=["tampering"],
)
define(
    "journal.sealed",
    Sealed,
    "{actor} dropped the details of events {first} to {last}; their hashes stay provable",
    topics=["retention"],
)
define(
    "consumer.stuck",
    ConsumerStuck,
    "{consumer} failed {attempts} times at event {sequence}: {reason}",
)
define(
    "outbox.given_up",
    EffectGivenUp,
    "{effect} {effect_id} was given up after {attempts} attempts: {reason}",
)
