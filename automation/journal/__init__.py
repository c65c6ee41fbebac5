"""The journal: event bus, state history and audit log in one, append-only and hash-chained.

`Journal` is the way in. Every room may import this one; it knows none of them.
"""

from automation.journal.event import Draft, Event
from automation.journal.journal import Journal
from automation.journal.store import Query
from automation.journal.verification import Break, Verification

__all__ = ["Break", "Draft", "Event", "Journal", "Query", "Verification"]
