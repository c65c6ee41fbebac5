"""Listen keys live for an hour, and whoever listens is told when theirs ends."""

import pytest

from automation.simulator.parameters import RequestError
from automation.simulator.streams.listenkeys import ListenKeys


def test_a_key_is_the_accounts_own_until_it_ends(stage):
    keys = stage.hub.listen_keys
    key = keys.create("alice")
    assert len(key) == 64
    assert keys.create("alice") == key != keys.create("bob")
    stage.clock.advance(59 * 60)
    assert keys.keep("alice") == key
    stage.clock.advance(59 * 60)
    assert keys.account(key) == "alice"
    stage.clock.advance(61)
    assert keys.account(key) is None
    with pytest.raises(RequestError, match="This listenKey does not exist"):
        keys.keep("alice")
    assert keys.create("alice") != key


def test_a_closed_key_is_gone(stage):
    keys = stage.hub.listen_keys
    key = keys.create("alice")
    keys.close("alice")
    keys.close("alice")
    assert keys.account(key) is None


def test_listeners_are_told_of_the_end_and_hear_no_more(stage):
    key = stage.hub.listen_keys.create("alice")
    other = stage.hub.listen_keys.create("bob")
    wire, bobs = stage.connect(key), stage.connect(other)
    stage.hub.tell("alice", b'{"e":"first"}')
    assert wire.read() == [{"e": "first"}]
    assert not bobs.data
    stage.clock.advance(1800)
    stage.hub.listen_keys.keep("bob")
    stage.clock.advance(1801)
    stage.hub.pump()
    assert wire.read() == [
        {"e": "listenKeyExpired", "E": stage.timeline.now_ms(), "listenKey": key}
    ]
    stage.hub.tell("alice", b'{"e":"second"}')
    stage.hub.tell("bob", b'{"e":"second"}')
    assert not wire.data
    assert bobs.read() == [{"e": "second"}]


def test_keys_repeat_with_the_seed():
    def first(seed):
        return ListenKeys(lambda: 0, seed=seed).create("alice")

    assert first(3) == first(3) != first(4)
