from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from automation.core.errors import PermanentError
from automation.journal.event import (
    GENESIS,
    LARGEST_PAYLOAD_BYTES,
    Draft,
    chain,
    encode_payload,
    prepare,
    to_us,
)


def draft(**fields):
    return Draft(**{"kind": "bot.started", "actor": "a", "source": "s", **fields})


def test_the_hash_can_be_recomputed_by_hand():
    entry = prepare(draft(payload={"b": 1, "a": "x"}, bot="m", address="::1", cause=3), 1_000)
    (event,) = chain([entry], 6, GENESIS)
    head = b"7\n1000\nbot.started\n1\na\n::1\ns\nm\n3"
    digest = sha256(b'{"a":"x","b":1}').digest()
    assert event.hash == sha256(GENESIS + digest + head).digest()
    assert (event.sequence, event.previous, event.digest) == (7, GENESIS, digest)


@example("ann\nbot.started", "::1\n", "s\r\n", "m\u2028")
@given(st.text(), st.text(), st.text(), st.text())
def test_no_field_can_forge_another_by_a_line_break(actor, address, source, bot):
    entry = prepare(draft(actor=actor, address=address, source=source, bot=bot), 1)
    (event,) = chain([entry], 0, GENESIS)
    for field in (event.actor, event.address, event.source, event.bot):
        assert "\n" not in field
        assert len(field) <= 200
        field.encode()


@pytest.mark.parametrize(
    "kind", ["", "Bot.started", "bot started", "bot.", ".bot", "bot\nx", "b" * 300]
)
def test_a_kind_that_is_none_is_refused(kind):
    with pytest.raises(PermanentError, match="no kind of event"):
        prepare(draft(kind=kind), 1)


def test_secrets_never_reach_an_entry():
    entry = prepare(draft(payload={"api_key": "k1"}, actor="https://u:pw@host"), 1)
    assert entry.payload_json == '{"api_key":"***"}'
    assert entry.actor == "https://***@host"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("1.10"), '"1.10"'),
        (Path("a/b"), '"a/b"'),
        (b"\x01", '"01"'),
        (float("nan"), "null"),
        (datetime(2025, 1, 1, tzinfo=UTC), '"2025-01-01T00:00:00+00:00"'),
        ("\ud800", '"?"'),
        (2**70, f'"{2**70}"'),
        ({1: 2}, '{"1":2}'),
        ({"ü": ("é", {"z"})}, '{"ü":["é",["z"]]}'),
    ],
)
def test_rare_values_are_written_all_the_same(value, written):
    assert encode_payload("x", {"v": value}).decode() == f'{{"v":{written}}}'


def test_what_has_no_json_form_is_refused_with_its_kind():
    with pytest.raises(PermanentError, match=r"payload of bot\.x has no JSON form"):
        encode_payload("bot.x", {"v": object()})


def test_a_payload_that_is_too_large_is_refused_with_a_cure():
    with pytest.raises(PermanentError, match="more than 1,048,576; write the bulk to a file"):
        encode_payload("x", {"v": "a" * LARGEST_PAYLOAD_BYTES})


@given(st.datetimes(timezones=st.just(UTC)))
def test_microseconds_are_exact(instant):
    (event,) = chain([prepare(draft(), to_us(instant))], 0, GENESIS)
    assert event.time == instant
