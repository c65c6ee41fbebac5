"""The journal's own state: what was last heard of every bot, and how often each kind happened.

A fold like those of other rooms, and the example for them.
"""

from dataclasses import dataclass, field
from typing import Any

from automation.journal.event import Event
from automation.journal.store import Query


@dataclass(slots=True)
class BotActivity:
    """What was heard of one bot; of the fleet itself under an empty name."""

    sequence: int = 0
    time_us: int = 0
    kind: str = ""
    counts: dict[str, int] = field(default_factory=dict)


class Activity:
    """Counts kinds per bot and remembers the newest event of each."""

    name = "activity"
    version = 1
    query = Query()

    def initial(self) -> dict[str, BotActivity]:
        """Give the state before the first event."""
        return {}

    def apply(self, state: dict[str, BotActivity], event: Event) -> dict[str, BotActivity]:
        """Give the state after an event."""
        bot = state.setdefault(event.bot, BotActivity())
        bot.sequence, bot.time_us, bot.kind = event.sequence, event.time_us, event.kind
        bot.counts[event.kind] = bot.counts.get(event.kind, 0) + 1
        return state

    def dump(self, state: dict[str, BotActivity]) -> dict[str, Any]:
        """Give the state as JSON-ready values."""
        return {
            name: [bot.sequence, bot.time_us, bot.kind, bot.counts] for name, bot in state.items()
        }

    def load(self, dumped: dict[str, Any]) -> dict[str, BotActivity]:
        """Take back what `dump` gave."""
        return {name: BotActivity(*values) for name, values in dumped.items()}
