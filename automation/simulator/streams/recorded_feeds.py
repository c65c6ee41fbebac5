"""Streams of a recorded market: the recorded messages themselves, when their time comes.

Decides which recorded messages a stream's name means. Messages are told letter by letter; where
history is moved to now, their times are moved along. Refuses to know connections. Called by
`feeds`. Each payload carries its place in the recording, so that `hub` keeps the order across
streams.
"""

from bisect import bisect_right

import orjson

from automation.simulator.recorded import Recorded, Recording
from automation.simulator.streams.names import Wanted

_NAMES = {"bookTicker": "@bookTicker", "trade": "@trade", "diffDepth": "@depth"}


class Numbered(bytes):
    """A payload that has a place among those of other streams."""

    number: int


class RecordedFeed:
    """One recorded stream."""

    def __init__(self, recording: Recording, wanted: Wanted, shift_ms: int) -> None:
        """Pick the messages that `wanted` means; all speeds of the book are the recorded one."""
        part = _NAMES[wanted.kind]
        self._messages = [each for each in recording.messages if part in each.stream]
        self._times = [each.at_ms for each in self._messages]
        self._shift_ms = shift_ms

    def poll(self, last_ms: int, now_ms: int) -> list[bytes]:
        """Tell the messages of (last_ms, now_ms]."""
        low, high = bisect_right(self._times, last_ms), bisect_right(self._times, now_ms)
        return [self._payload(each) for each in self._messages[low:high]]

    def _payload(self, message: Recorded) -> bytes:
        text = message.payload
        if self._shift_ms:
            body = orjson.loads(text)
            moved = {key: body[key] + self._shift_ms for key in ("E", "T") if key in body}
            text = orjson.dumps(body | moved)
        payload = Numbered(text)
        payload.number = message.number
        return payload


def is_recorded(wanted: Wanted) -> bool:
    """Whether a stream is told from the recording's messages."""
    return wanted.kind in _NAMES
