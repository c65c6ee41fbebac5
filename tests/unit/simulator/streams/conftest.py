"""A hub whose clock is moved by hand, and what its clients read."""

from datetime import UTC, datetime

import orjson
import pytest

from automation.simulator import open_market
from automation.simulator.rest import Rest
from automation.simulator.streams.hub import Hub
from automation.simulator.timeline import Timeline
from automation.simulator.venue import Venue
from automation.testing import ManualClock

AT = datetime(2024, 3, 4, 10, 20, tzinfo=UTC)
NOW = datetime(2026, 7, 1, 15, 33, 7, tzinfo=UTC)


class Wire:
    """The far end of a connection: what was written, and how much of it is unread."""

    def __init__(self):
        self.data, self.unread, self.is_cut, self.writes = b"", 0, False, 0

    def get_write_buffer_size(self):
        return self.unread

    def is_closing(self):
        return self.is_cut

    def write(self, data):
        self.data += data
        self.writes += 1

    def abort(self):
        self.is_cut = True

    def read(self):
        """Take the messages that came since the last time."""
        found, place, data = [], 0, self.data
        while place < len(data):
            assert data[place] == 0x81
            length, place = data[place + 1], place + 2
            if length == 126:
                length, place = int.from_bytes(data[place : place + 2]), place + 2
            elif length == 127:
                length, place = int.from_bytes(data[place : place + 8]), place + 8
            found.append(orjson.loads(data[place : place + length]))
            place += length
        self.data = b""
        return found


class Stage:
    """A venue at a moved clock, with REST and streams."""

    def __init__(self, market, at=AT, now=NOW, rules=None):
        self.clock = ManualClock(now)
        self.timeline = Timeline(self.clock, at)
        self.venue = Venue(market, self.timeline)
        self.rest = Rest(self.venue)
        self.hub = Hub(self.venue, rules=rules)

    def connect(self, *names, combined=False):
        wire = Wire()
        connection = self.hub.connect(wire)
        connection.is_combined = combined
        self.hub.subscribe(connection, names)
        wire.connection = connection
        return wire

    def ask(self, wire, **request):
        self.hub.ask(wire.connection, orjson.dumps(request))
        return wire.read()[-1]

    def run(self, seconds, step=0.1):
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            self.hub.pump()

    def get(self, target):
        return orjson.loads(self.rest.reply("GET", f"/fapi/v1/{target}", "127.0.0.1").body)


@pytest.fixture(scope="session")
def market():
    return open_market(21)


@pytest.fixture
def stage(market):
    return Stage(market)


@pytest.fixture(scope="session")
def make_stage(market):
    return lambda **kwargs: Stage(market, **kwargs)
