"""The journal: event bus, state history and audit log in one, append-only and hash-chained.

`Journal` is the way in. Every room may import this one; it knows none of them.
"""

from automation.journal.event import Draft, Event
from automation.journal.journal import Journal
from automation.journal.kinds import KINDS, Facts, Kind, define, sentence
from automation.journal.store import Query
from automation.journal.verification import Break, Verification

__all__ = [
    "KINDS",
    "Break",
    "Draft",
    "Event",
    "Facts",
    "Journal",
    "Kind",
    "Query",
    "Verification",
    "define",
    "sentence",
]
