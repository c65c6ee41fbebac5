"""Messages as bytes on the wire, made once and shared by every connection that gets them.

Decides how a payload is wrapped for combined streams and how a text frame begins (RFC 6455, from
server to client: no mask, no fragments). Refuses to know who gets it. Called by `hub`.
"""

import struct
from dataclasses import dataclass
from functools import cached_property

_TEXT = 0x81  # the last and only fragment, text
_ONE_BYTE, _TWO_BYTES = 125, 0xFFFF


def frame(payload: bytes) -> bytes:
    """Wrap a payload as one websocket text frame."""
    size = len(payload)
    if size <= _ONE_BYTE:
        return bytes((_TEXT, size)) + payload
    if size <= _TWO_BYTES:
        return struct.pack("!BBH", _TEXT, 126, size) + payload
    return struct.pack("!BBQ", _TEXT, 127, size) + payload


@dataclass(frozen=True)
class Message:
    """One message of one stream: JSON in bytes. `stream` is empty for answers to requests."""

    stream: str
    payload: bytes

    @cached_property
    def plain(self) -> bytes:
        """Frame for connections that want the payload alone."""
        return frame(self.payload)

    @cached_property
    def combined(self) -> bytes:
        """Frame for connections that want the stream's name beside it."""
        if not self.stream:
            return self.plain
        return frame(b'{"stream":"%b","data":%b}' % (self.stream.encode(), self.payload))
