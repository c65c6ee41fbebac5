"""The same seed and the same requests meet the same faults."""

from datetime import UTC, datetime

import pytest

from automation.core.clock import to_ms
from automation.core.errors import ConfigError
from automation.simulator import open_market
from automation.simulator.faults import Faults, Scenario, ShockedMarket, parse_fault
from automation.simulator.faults.triggers import Case

START_MS = to_ms(datetime(2024, 8, 5, tzinfo=UTC))
ORDER = Case("POST", "/fapi/v1/order", "BTCUSDT", "one")
ASKED = Case("GET", "/fapi/v1/klines", "BTCUSDT")


class Book:
    depth_factor = 1.0
    spread_factor = 1.0


class Floor:
    def __init__(self):
        self.done, self.thin = [], Book()

    def book(self, symbol):
        return self.thin

    def halt(self, symbol, *, is_halted, is_final):
        self.done.append((symbol, is_halted, is_final))

    def renew(self):
        self.done.append("renewed")

    def cut_streams(self):
        self.done.append("cut")


class World:
    """Faults in a market whose time the test moves."""

    def __init__(self, *faults, seed=1):
        self.at_ms, self.floor, self.noted = START_MS, Floor(), []
        raw = {"seed": seed, "faults": faults}
        self.faults = Faults(
            Scenario.model_validate(raw),
            ShockedMarket(open_market(7)),
            lambda: self.at_ms,
            self.floor,
            self.noted.append,
        )

    def wait(self, seconds):
        self.at_ms += round(seconds * 1000)
        self.faults.settle()

    def judge(self, case=ORDER):
        return self.faults.judge(case)


def lost(**more):
    return {"kind": "answer_lost", "name": "lost", **more}


def run(seed, cases=60):
    world = World(
        lost(probability=0.4, times=7),
        {"kind": "latency", "delay": {"shape": "lognormal", "mean": "80ms"}, "probability": 0.5},
        seed=seed,
    )
    for number in range(cases):
        world.judge(ORDER if number % 3 else ASKED)
        world.wait(1)
    return world.noted


def test_the_same_seed_gives_the_same_log_and_another_does_not():
    assert run(3) == run(3)
    assert run(3) != run(4)
    assert len([entry for entry in run(3) if entry[2:4] == ("lost", "request")]) == 7


def test_a_fault_draws_for_itself_whatever_others_there_are():
    alone = World(lost(probability=0.5))
    beside = World(
        {"kind": "latency", "delay": {"mean": 1}, "probability": 0.5}, lost(probability=0.5)
    )
    for _ in range(40):
        assert alone.judge().is_answered == beside.judge().is_answered


def test_a_match_means_all_that_is_given():
    world = World(lost(match={"method": "POST", "path": "*/order", "account": "one"}))
    assert not world.judge().is_answered
    assert world.judge(ASKED).is_answered
    assert world.judge(Case("POST", "/fapi/v1/order", "BTCUSDT", "two")).is_answered


def test_a_window_begins_and_ends_at_its_instants():
    world = World(lost(at="2024-08-05T00:01Z", lasts="30s"), {"kind": "outage", "after": "5m"})
    seen = []
    for _ in range(7):
        seen.append(world.judge().is_answered)
        world.wait(15)
    assert seen == [True, True, True, True, False, False, True]
    assert [entry[2:] for entry in world.noted if len(entry) == 4] == [
        ("lost", "began"),
        ("lost", "ended"),
    ]


def test_an_order_can_be_taken_and_its_answer_lost():
    verdict = World(lost()).judge()
    assert verdict.is_processed
    assert not verdict.is_answered


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"kind": "error"}, 503, b'"code":-1008'),
        ({"kind": "error", "status": 451}, 451, b"restricted location"),
        ({"kind": "error", "status": 418, "retry_after": "2m"}, 418, b'"code":-1003'),
        (
            {"kind": "error", "status": 500, "code": -1, "message": "no"},
            500,
            b'"code":-1,"msg":"no"',
        ),
        ({"kind": "maintenance"}, 503, b'"code":-1016'),
        ({"kind": "revoked_key", "account": "one"}, 401, b'"code":-2015'),
    ],
)
def test_a_refused_request_is_not_processed(fault, status, code):
    verdict = World(fault).judge()
    assert verdict.status == status
    assert code in verdict.body
    assert not verdict.is_processed
    assert verdict.headers.get("Retry-After") == ("120" if "retry_after" in fault else None)


def test_only_the_revoked_key_is_refused():
    assert World({"kind": "revoked_key", "account": "two"}).judge().status == 200


def test_delays_add_and_the_first_error_wins():
    late = {"kind": "latency", "delay": {"mean": "2s"}}
    world = World(late, late, {"kind": "error", "status": 500}, {"kind": "error", "status": 503})
    verdict = world.judge()
    assert (verdict.delay_s, verdict.status) == (4.0, 500)


def test_streams_are_stalled_dropped_doubled_overtaken_and_cut():
    def delays(fault):
        return World(fault).faults.outgoing("btcusdt@kline_1m", "", 1)

    assert delays({"kind": "stream_drop"}) == []
    assert delays({"kind": "stream_duplicate"}) == [0.0, 0.0]
    assert delays({"kind": "stream_reorder", "by": "500ms"}) == [0.5]
    assert delays({"kind": "stream_stall", "lasts": "30s"}) == [30.0]
    assert delays({"kind": "stream_cut"}) is None
    assert delays({"kind": "stream_drop", "match": {"stream": "ethusdt@*"}}) == [0.0]
    assert delays({"kind": "stream_drop", "match": {"symbol": "BTCUSDT"}}) == []


def test_halt_delisting_thin_book_and_outage_reach_the_exchange():
    world = World(
        {"kind": "halt", "symbols": ["BTCUSDT"], "lasts": "1m"},
        {"kind": "delisting", "symbols": ["ETHUSDT"], "after": "2m"},
        {"kind": "thin_book", "symbols": ["BTCUSDT"], "depth": 0.2, "lasts": "1m"},
        {"kind": "outage", "after": "3m", "lasts": "2m"},
    )
    world.wait(0)
    assert world.floor.thin.depth_factor == 0.2
    world.wait(60)
    assert world.floor.thin.depth_factor == 1.0
    world.wait(60)
    assert world.floor.done == [
        ("BTCUSDT", True, False), ("BTCUSDT", False, False), ("ETHUSDT", True, True),
    ]  # fmt: skip
    world.wait(60)
    assert world.floor.done[-1] == "cut"
    assert world.faults.is_closed
    world.wait(120)
    assert not world.faults.is_closed


def test_the_server_clock_is_ahead_while_it_is_said():
    world = World({"kind": "clock_skew", "offset_ms": 4000, "lasts": "10s"})
    assert world.faults.skew_ms == 4000
    world.wait(10)
    assert world.faults.skew_ms == 0


def test_a_fault_can_be_added_and_lifted():
    world = World()
    assert world.judge().status == 200
    world.faults.add(parse_fault({"kind": "outage", "name": "now"}))
    assert not world.judge().is_answered
    world.faults.lift("now")
    assert world.judge().is_answered
    assert [entry[3] for entry in world.noted] == ["armed", "began", "request", "lifted", "ended"]
    with pytest.raises(ConfigError, match="there is no fault never; there are now"):
        world.faults.lift("never")
    with pytest.raises(ConfigError, match="named now already"):
        world.faults.add(parse_fault({"kind": "outage", "name": "now"}))


def test_prices_that_were_shown_do_not_change():
    world = World()
    world.wait(17)
    crash = {"kind": "flash_crash", "move_frac": -0.2, "at": "2024-08-05T00:00Z"}
    with pytest.raises(ConfigError, match="prices of the past cannot be changed"):
        world.faults.add(parse_fault(crash))
    armed = world.faults.add(parse_fault(crash | {"at": None}))
    assert armed.begin_ms == START_MS + 60_000
