"""Errors, secrets, ranges, instants."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.core.clock import from_ms, parse_instant, to_ms
from automation.core.errors import ConfigError, DependencyError, TransientError
from automation.core.secrets import Secret, resolve
from automation.core.timerange import parse_timerange
from automation.testing import ManualClock


def test_sentences_carry_place_and_cure():
    error = ConfigError("unknown key", where="fleet.yaml:3", cure="remove it")
    assert str(error) == "fleet.yaml:3: unknown key; remove it"
    assert error.exit_code == 2
    assert DependencyError("port 80 is taken").exit_code == 3
    assert TransientError("busy", retry_after_s=7).retry_after_s == 7


def test_secret_never_shows_itself():
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "hunter2"


def test_secret_from_environment_and_file(tmp_path, monkeypatch):
    monkeypatch.setenv("FREQFLEET_TEST_SECRET", " abc\n")
    assert resolve("env:FREQFLEET_TEST_SECRET").reveal() == "abc"
    file = tmp_path / "key"
    file.write_text("xyz\n")
    assert resolve(f"file:{file}").reveal() == "xyz"


@pytest.mark.parametrize("reference", ["env:FREQFLEET_NOT_SET", "file:/nonexistent/key", "abc"])
def test_missing_secret_says_what_to_do(reference):
    with pytest.raises(ConfigError, match="set the environment|put the secret into|write env:"):
        resolve(reference, where="exchange.accounts.main.key")


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("20240101-20240701", datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC)),
        ("20240101T1230-", datetime(2024, 1, 1, 12, 30, tzinfo=UTC), None),
        ("-1704067200", None, datetime(2024, 1, 1, tzinfo=UTC)),
        ("1704067200000-", datetime(2024, 1, 1, tzinfo=UTC), None),
    ],
)
def test_timeranges_read_as_freqtrade_reads_them(text, start, end):
    from freqtrade.configuration import TimeRange as Freqtrades

    ours, theirs = parse_timerange(text), Freqtrades.parse_timerange(text)
    assert (ours.start, ours.end) == (start, end)
    assert (theirs.startdt, theirs.stopdt) == (start, end)


@pytest.mark.parametrize("text", ["", "-", "2024", "20240101", "20241301-", "20240201-20240101"])
def test_wrong_timeranges_are_refused(text):
    with pytest.raises(ConfigError, match="timerange"):
        parse_timerange(text)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)))
def test_instants_survive_milliseconds(instant):
    assert abs(from_ms(to_ms(instant)) - instant) < timedelta(milliseconds=1)
    assert parse_instant(instant.isoformat()) == instant


def test_instant_without_zone_is_utc():
    assert parse_instant("2024-08-05") == datetime(2024, 8, 5, tzinfo=UTC)
    with pytest.raises(ValueError, match="not an instant"):
        parse_instant("yesterday")


def test_manual_clock_moves_when_told():
    clock = ManualClock()
    before = clock.now()
    clock.advance(5)
    clock.jump(-60)
    assert clock.monotonic() == 5
    assert clock.now() - before == timedelta(seconds=-55)
