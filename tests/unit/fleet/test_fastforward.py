from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.core.config import Fleet
from automation.core.errors import ConfigError, DependencyError
from automation.core.model import ProcessFacts, UnitSnapshot
from automation.fleet import faketime
from automation.fleet.chronicle import Chronicle
from automation.fleet.fastforward import FastForward, Lag, fast_forward, forget, is_fast
from automation.fleet.home import Home
from automation.fleet.tempo import Tempo
from automation.journal import Journal

AT = datetime(2024, 8, 5, tzinfo=UTC)
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


class StandingClock:
    def __init__(self):
        self.instant, self.seconds = NOW, 100.0

    def now(self):
        return self.instant

    def monotonic(self):
        return self.seconds


class Answers:
    """A bot that lives in the market's time."""

    def __init__(self, **answers):
        self.answers = answers

    async def ping(self):
        return None

    async def get(self, path, **params):
        return self.answers[path]

    async def post(self, path, body=None):
        return path


@pytest.fixture
def journal(tmp_path):
    with Journal.open(tmp_path / "journal.sqlite") as opened:
        yield opened


@pytest.fixture
def fast(tmp_path, journal):
    made = FastForward(
        Home(tmp_path / "home"), Chronicle(journal), StandingClock(), AT, 20.0, Path("lib.so")
    )
    yield made
    forget(made.home)


def fleet(**settings):
    bots = [{"name": "one", "strategy": "S"}]
    exchange = {"venue": "simulator", "simulator": settings}
    return Fleet.model_validate({"fleet": "t", "exchange": exchange, "bots": bots})


def test_it_begins_in_real_time_at_the_instant_and_says_so(fast, journal):
    fast.open(is_alive=False)
    journal.append("test.flush", actor="test", source="test")
    (event,) = journal.search(kind="market.fast_forward")
    assert event.payload["market_instant"].startswith("2024-08-05T00:00:00")
    assert event.payload["speed"] == 1.0
    assert event.payload["wanted_speed"] == 20.0
    assert is_fast(fast.home)


def test_a_new_supervisor_goes_on_with_the_time_of_living_bots(fast):
    fast.open(is_alive=False)
    fast.tempo = fast.tempo.changed(fast.tempo.real_s + 60, 20.0)
    fast._write()
    later = FastForward(fast.home, fast.chronicle, fast.clock, AT, 20.0, fast.library)
    later.open(is_alive=True)
    assert (later.run, later.tempo) == (fast.run, fast.tempo)
    assert later.environment == fast.environment


def test_living_bots_of_another_time_are_not_taken_over(fast):
    fast.open(is_alive=False)
    slower = FastForward(fast.home, fast.chronicle, fast.clock, AT, 10.0, fast.library)
    with pytest.raises(ConfigError, match="another time or speed; run freqfleet down first"):
        slower.open(is_alive=True)


def test_a_clock_that_is_forgotten_leaves_nothing(fast):
    fast.open(is_alive=False)
    memory = Path("/dev/shm") / f"freqfleet-{fast.run}"
    assert memory.exists()
    forget(fast.home)
    assert not memory.exists()
    assert not is_fast(fast.home)


async def test_a_bots_instants_come_in_real_time_and_its_lag_in_the_markets(fast):
    fast.tempo = Tempo(NOW.timestamp(), AT.timestamp(), 20.0)
    looped_s = AT.timestamp() - 40
    api = fast.in_real_time("one", Answers(health={"last_process_ts": looped_s}))
    answer = await api.get("health")
    assert answer["last_process_ts"] == pytest.approx(NOW.timestamp() - 2)
    assert fast.lags["one"].lag_s == pytest.approx(40)


async def test_an_overdue_candle_is_lag_as_well(fast):
    fast.tempo = Tempo(NOW.timestamp(), AT.timestamp(), 20.0)
    opened_ms = (AT.timestamp() - 300 - 300 - 90) * 1000  # the next one closed 90 s ago
    candles = {"length": 1, "columns": ["open", "__date_ts"], "data": [[1.0, opened_ms]]}
    api = fast.in_real_time(
        "one",
        Answers(
            show_config={"timeframe_ms": 300_000},
            health={"last_process_ts": AT.timestamp()},
            pair_candles=candles,
        ),
    )
    assert (await api.get("show_config"))["timeframe_ms"] == 15_000
    await api.get("health")
    answer = await api.get("pair_candles")
    assert answer["data"][0][1] == pytest.approx((NOW.timestamp() - 34.5) * 1000)
    assert fast.lags["one"].lag_s == pytest.approx(90)


def test_the_clocks_own_speed_needs_nothing(tmp_path, journal):
    home = Home(tmp_path)
    assert fast_forward(fleet(), home, Chronicle(journal), StandingClock()) is None


def test_a_fast_market_without_a_beginning_is_one_sentence(tmp_path, journal):
    with pytest.raises(ConfigError, match="a fast market needs a beginning"):
        fast_forward(fleet(speed=20), Home(tmp_path), Chronicle(journal), StandingClock())


def test_a_missing_library_is_one_sentence_with_the_cure(monkeypatch):
    monkeypatch.setenv(faketime.VARIABLE, "/nowhere/libfaketime.so.1")
    with pytest.raises(DependencyError, match="apt install faketime"):
        faketime.find_library()


async def test_slow_answers_of_the_simulator_count_like_late_bots(fast):
    fast.open(is_alive=False)
    fast.tempo = Tempo(NOW.timestamp(), AT.timestamp(), 20.0)

    class Slow(Answers):
        oldest_s = 0.0

        async def ping(self):
            fast.clock.seconds += 0.3  # six seconds of market time

    fast.lags["one"] = Lag(3.0, 300.0)
    fast._governor.has_begun = True
    unit = UnitSnapshot("one", process=ProcessFacts(is_alive=True))
    for _ in range(2):
        await fast.timed(Slow()).ping()
        fast.clock.seconds += 6
        fast.watch([unit])
    await fast._turning
    assert 10 <= fast.tempo.speed < 20


async def test_requests_that_take_too_long_count_as_well(fast):
    fast.open(is_alive=False)
    fast.tempo = Tempo(NOW.timestamp(), AT.timestamp(), 20.0)

    class Late(Answers):
        oldest_s = 30.0  # three times the limit

    fast.lags["one"] = Lag(3.0, 300.0)
    fast._governor.has_begun = True
    await fast.timed(Late()).ping()
    fast.watch([UnitSnapshot("one", process=ProcessFacts(is_alive=True))])
    await fast._turning
    assert fast.tempo.speed == 6.0
    assert fast.request_s == 0.0  # judged once


def test_ccxt_waits_as_long_as_always_in_real_time(fast):
    section = {"name": "binance", "ccxt_config": {"verify": False, "options": {"a": 1}}}
    patient = fast.patient(section)["ccxt_config"]
    assert patient["timeout"] == 200_000
    assert patient["options"] == {"a": 1, "recvWindow": 60_000}
    assert patient["verify"] is False
    assert "timeout" not in section["ccxt_config"]


@given(st.floats(1.7e9, 1.8e9))
def test_a_new_line_is_written_just_before_the_second_from_which_on_it_is_read(real_s):
    wait_s, turn_s = faketime.wait_for_turn_s(real_s)
    assert 0 <= wait_s < 1.001
    assert turn_s == int(turn_s)
    assert 0.14 < turn_s - (real_s + wait_s) < 0.16
