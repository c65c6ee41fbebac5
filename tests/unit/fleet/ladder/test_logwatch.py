"""What a log is read for, in Freqtrade's own words, and what it is not."""

import pytest

from automation.core.vitals import Topic
from automation.fleet.ladder.logwatch import LogWatch

STAMP = "2026-11-21 02:00:00,123 - {} - {} - {}\n"


def line(words, level="WARNING", name="freqtrade.worker"):
    return STAMP.format(name, level, words)


@pytest.fixture
def log(tmp_path):
    return LogWatch(tmp_path / "freqtrade.log", window_s=300.0)


def say(log, *lines):
    with log.path.open("a") as file:
        file.writelines(lines)


WORDS = [
    (
        "Error: Could not get positions due to RequestTimeout. Message: binance GET …, retrying in 30",
        "WARNING", Topic.EXCHANGE,
    ),
    ("_async_get_candle_history() returned exception: TemporaryError", "WARNING", Topic.EXCHANGE),
    ('binance 418 I\'m a teapot {"code":-1003,"msg":"Way too many requests; IP banned until 17"}',
     "WARNING", Topic.BAN),
    ("Your system time deviates by 3.2s from the time of Binance.", "WARNING", Topic.CLOCK),
    ('{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}', "ERROR",
     Topic.CLOCK),
    ("sqlite3.OperationalError: database is locked", "ERROR", Topic.DATABASE),
    ("OperationalException. Stopping trader ...", "ERROR", Topic.FELL),
    ("[Errno 28] No space left on device", "ERROR", Topic.DISK),
    ("Unable to analyze candle data", "ERROR", Topic.ERROR),
]  # fmt: skip


@pytest.mark.parametrize(("words", "level", "topic"), WORDS)
def test_what_a_line_is_about(log, words, level, topic):
    say(log, line(words, level))
    found = {mention.topic: mention for mention in log.read(10.0)}
    assert found[topic].count == 1
    assert found[topic].words
    assert found[topic].last_s == 10.0


@pytest.mark.parametrize(
    "told",
    [
        line("database is locked", "INFO"),
        line("Bot heartbeat. PID=1, version='2026.9', state='RUNNING'", "INFO"),
        line("RequestTimeout", "DEBUG"),
        "\n",
    ],
)
def test_what_is_said_by_the_way_counts_for_nothing(log, told):
    say(log, told)
    assert log.read(1.0) == ()


def test_the_line_under_a_traceback_counts(log):
    say(log, line("Unhandled", "ERROR"), "Traceback (most recent call last):\n")
    say(log, "sqlite3.OperationalError: disk I/O error\n")
    assert {m.topic for m in log.read(1.0)} == {Topic.ERROR, Topic.DATABASE}


def test_what_an_earlier_process_said_is_skipped_and_old_words_are_forgotten(log):
    say(log, line("database is locked"))
    log.skip()
    assert log.read(1.0) == ()
    say(log, line("database is locked"))
    assert log.read(2.0)[0].count == 1
    assert log.read(302.0)[0].count == 1
    assert log.read(303.0) == ()


def test_a_log_that_was_rotated_is_read_from_its_beginning(log):
    say(log, *[line("nothing much", "INFO")] * 50)
    log.read(1.0)
    log.path.rename(log.path.with_suffix(".1"))
    say(log, line("database is locked"))
    assert log.read(2.0)[0].topic is Topic.DATABASE


def test_half_a_line_waits_for_its_other_half(log):
    whole = line("database is locked")
    say(log, whole[:60])
    assert log.read(1.0) == ()
    say(log, whole[60:])
    assert log.read(2.0)[0].count == 1


def test_a_flood_is_read_at_its_end_and_costs_no_more(log):
    say(log, *[line("x" * 200, "ERROR")] * 5000)
    (mention,) = log.read(1.0)
    assert 0 < mention.count <= 1000


def test_that_the_trader_fell_is_known_until_it_stands_again(log):
    say(log, line("OperationalException. Stopping trader ...", "ERROR"))
    log.read(1.0)
    assert Topic.FELL in {m.topic for m in log.read(9000.0)}
    log.forget(Topic.FELL)
    assert Topic.FELL not in {m.topic for m in log.read(9001.0)}


def test_without_a_log_nothing_is_said(log):
    log.skip()
    assert log.read(1.0) == ()
