"""What other systems get of an event: flat text fields, the same for every system."""

import orjson

from automation.journal.event import Event
from automation.journal.kinds import KINDS


def fields_of(event: Event) -> dict[str, str]:
    """Give an event as flat text fields; `sequence` is the key by which a double is known."""
    return {
        "sequence": str(event.sequence),
        "time": event.time.isoformat(),
        "kind": event.kind,
        "version": str(event.version),
        "actor": event.actor,
        "address": event.address,
        "source": event.source,
        "bot": event.bot,
        "cause": "" if event.cause is None else str(event.cause),
        "payload": event.payload_json,
        "sentence": KINDS.sentence(event),
        "hash": event.hash.hex(),
    }


def body_of(event: Event) -> bytes:
    """Give an event as one JSON document."""
    return orjson.dumps(event.as_dict(), option=orjson.OPT_SORT_KEYS)
