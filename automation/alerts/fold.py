"""The alerts' state as a fold of the journal, with snapshots for a fast start."""

from typing import Any

from pydantic import TypeAdapter

from automation.alerts.core import fold_event
from automation.alerts.state import State
from automation.journal import Event, Query
from automation.journal.folds import Folded, current
from automation.journal.journal import Journal

_ADAPTER = TypeAdapter(State)
_DERIVED = {"by_bot", "owned", "wake_us"}


class AlertsFold:
    """How the alerts' state follows from the journal; implements `journal.folds.Fold`."""

    name = "alerts"
    version = 1
    query = Query(kind="alert.*")

    def initial(self) -> State:
        """Give the state before the first event."""
        return State()

    def apply(self, state: State, event: Event) -> State:
        """Give the state after an event; changes the old one."""
        return fold_event(state, event)

    def dump(self, state: State) -> Any:
        """Give the state as JSON-ready values."""
        dumped: dict[str, Any] = _ADAPTER.dump_python(
            state, mode="json", by_alias=True, exclude=_DERIVED, exclude_none=True
        )
        for group in dumped["groups"].values():
            # Sets have no order of their own, and dumps are compared byte by byte.
            group["members"].sort()
            group["told"].sort()
        return dumped

    def load(self, dumped: Any) -> State:
        """Take back what `dump` gave."""
        state = _ADAPTER.validate_python(dumped)
        for alert in state.alerts.values():
            state.index(alert)
        return state


def restore(journal: Journal) -> Folded[State]:
    """Rebuild the alerts' state from the journal."""
    return current(journal, AlertsFold())
