"""The kinds of events that guards write. Imported by `kinds`."""

from automation.journal import Facts, define


class GuardTripped(Facts):
    """A guard stopped the entries of a bot, or of the fleet where no bot is named."""

    guard: str
    reason: str
    needs_person: bool
    until: str
    """When it ends by itself; "" when a person must resume."""


class GuardCleared(Facts):
    """A guard no longer stops entries."""

    guard: str
    reason: str


define(
    "guard.tripped",
    GuardTripped,
    lambda event, said: (
        f"The {said.guard} guard stops the entries of {event.bot or 'the fleet'}: {said.reason}"
        + (f"; until {said.until}" if said.until else "; a person must resume")
    ),
    topics=["risk limit", "stop"],
)
define(
    "guard.cleared",
    GuardCleared,
    lambda event, said: (
        f"The {said.guard} guard of {event.bot or 'the fleet'} is clear: {said.reason}"
    ),
    topics=["risk limit"],
)
