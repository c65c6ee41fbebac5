"""The kernel against Freqtrade's own Backtesting on small random markets, bit by bit.

`cases` draws everything that decides a backtest; a failure is shrunk by hypothesis and printed as a
`Case` that `Arena.run` replays.
"""

import os

import numpy as np
import pytest
from freqtrade.persistence import LocalTrade
from hypothesis import HealthCheck, assume, given, seed, settings
from hypothesis import strategies as st

from automation.core.errors import ConfigError
from automation.worker.compare import differences
from automation.worker.jobs import Trailing
from automation.worker.kernel.layout import MOST_ENTRIES

# Freqtrade's own use of pandas, not ours.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")

TOO_MANY_ENTRIES = f"a trade of more than {MOST_ENTRIES} entries"
MODEL = ("ProbeStrategy", "PackProbeStrategy")
SEED = int(os.environ.get("FREQFLEET_PARITY_SEED", "20241105"))
small = st.sampled_from


# What chance alone brings too seldom.
THEMES = {
    "any": {},
    "liquidation": {
        "stoploss": -0.99, "custom_stop": False, "swing": 0.02, "signal": 0.1, "roi": {},
        "trailing": Trailing(False), "use_exit_signal": False, "liquidation_margin": 0.0,
        "drawdown": 10.0, "daily_loss": 10.0, "wallet": 1e6, "protections": (), "slots": -1,
        "stake": 300.0, "time_stop": float("inf"), "pairs": 3, "risk_per_trade": 0.02,
    },
    "all in": {
        "stoploss": -0.99, "custom_stop": False, "swing": 0.02, "signal": 0.1, "roi": {},
        "trailing": Trailing(False), "use_exit_signal": False, "liquidation_margin": 0.0,
        "drawdown": 10.0, "daily_loss": 10.0, "protections": (), "slots": 3, "pairs": 4,
        "stake": "unlimited", "time_stop": float("inf"), "risk_per_trade": 5.0, "open_risk": 99.0,
        "exposure": 99.0, "margin": "cross",
    },
    "large": {
        "stoploss": -0.99, "custom_stop": False, "swing": 0.02, "signal": 0.1, "roi": {},
        "trailing": Trailing(False), "use_exit_signal": False, "liquidation_margin": 0.0,
        "drawdown": 10.0, "daily_loss": 10.0, "protections": (), "slots": 2, "pairs": 4,
        "stake": "unlimited", "time_stop": float("inf"), "risk_per_trade": 5.0, "open_risk": 99.0,
        "exposure": 99.0, "margin": "isolated", "wallet": 1e6,
    },
    "ladder": {
        "stoploss": -0.99, "custom_stop": False, "swing": 0.006, "signal": 0.1, "roi": {},
        "trailing": Trailing(False), "use_exit_signal": True, "drawdown": 0.02, "daily_loss": 0.01,
        "protections": (), "slots": 3, "pairs": 4, "stake": "unlimited", "time_stop": float("inf"),
        "risk_per_trade": 0.2, "open_risk": 99.0, "exposure": 99.0, "wallet": 1000.0,
    },
    "roi": {
        "stoploss": -0.5, "roi": {0: 0.03, 15: 0.005, 30: -0.002, 60: -1}, "swing": 0.002, "gap": 0.2,
        "trailing": Trailing(False), "use_exit_signal": False, "trail_after_r": float("inf"),
    },
    "waiting orders": {
        "wild": True, "gap": 0.2, "swing": 0.006, "entry": "limit", "budget": 0.0005, "timeout": 10,
        "drawdown": 10.0, "daily_loss": 10.0, "wallet": 1e6, "roi": {0: 0.001}, "signal": 0.3,
    },
    "slices": {
        "slices": True, "signal": 0.3, "stoploss": -0.5, "risk_per_trade": 0.2, "open_risk": 99.0,
        "exposure": 99.0, "budget": 0.02, "wallet": 1e6, "stake": "unlimited", "roi": {},
        "drawdown": 10.0, "daily_loss": 10.0, "time_stop": float("inf"), "off_hours": True,
    },
    "held": {
        "stoploss": -0.5, "roi": {}, "trailing": Trailing(False), "use_exit_signal": False,
        "swing": 0.0005, "pairs": 4, "slots": -1, "stake": 50.0, "signal": 0.02, "late": 50,
        "time_stop": float("inf"), "custom_stop": False, "wallet": 1e6,
    },
}  # fmt: skip


@st.composite
def protections(draw):
    method = draw(small(["CooldownPeriod", "StoplossGuard", "MaxDrawdown", "LowProfitPairs"]))
    made = {"method": method}
    length = draw(small(["unlock_at", "stop_duration_candles", "stop_duration"]))
    made[length] = draw(small(["03:00", "13:17"]) if length == "unlock_at" else st.integers(1, 40))
    back = draw(small(["lookback_period_candles", "lookback_period"]))
    made[back] = draw(st.integers(1, 400))
    if method != "CooldownPeriod":
        made["trade_limit"] = draw(st.integers(1, 4))
    if method == "StoplossGuard":
        made |= {"only_per_pair": draw(st.booleans()), "required_profit": draw(small([0.0, 0.01]))}
    if method in ("StoplossGuard", "LowProfitPairs"):
        made["only_per_side"] = draw(st.booleans())
    if method == "LowProfitPairs":
        made["required_profit"] = draw(small([0.0, -0.01, 0.02]))
    if method == "MaxDrawdown":
        made["max_allowed_drawdown"] = draw(small([0.0, 0.01, 0.05]))
        made["calculation_mode"] = draw(small(["ratios", "equity"]))
    return made


@st.composite
def cases(draw, make):
    """Draw a market and everything a strategy and its configuration may set."""
    trailing = Trailing(
        draw(st.booleans()),
        draw(small([None, 0.002, 0.005, 0.02])),
        draw(small([0.0, 0.005, 0.01, 0.03])),
        draw(st.booleans()),
    )
    minutes = small([0, 5, 7, 10, 15, 30, 60, 90])
    parts = small([0.0, 0.005, 0.01, 0.02, 0.05, -1, -0.01])
    fields = {
        "seed": draw(st.integers(0, 2**31)),
        "pairs": draw(st.integers(1, 4)),
        "candles": draw(st.integers(110, 260)),
        "month_break": draw(st.integers(0, 200)),
        "swing": draw(small([0.0005, 0.002, 0.006, 0.02])),
        "gap": draw(small([0.0, 0.05, 0.2])),
        "late": draw(small([0, 0, 7, 50])),
        "early": draw(small([0, 0, 3, 40])),
        "signal": draw(small([0.02, 0.1, 0.3])),
        "wild": draw(small([False, False, False, True])),
        "stoploss": draw(small([-0.01, -0.03, -0.1, -0.5, -0.99])),
        "roi": draw(st.dictionaries(minutes, parts, max_size=3)),
        "trailing": trailing,
        "use_exit_signal": draw(small([True, True, False])),
        "exit_profit_only": draw(st.booleans()),
        "exit_profit_offset": draw(small([0.0, 0.003])),
        "ignore_roi": draw(st.booleans()),
        "entry": draw(small(["limit", "market"])),
        "exit": draw(small(["limit", "market"])),
        "timeout": draw(small([3, 10, 60])),
        "slots": draw(small([-1, 1, 2, 3])),
        "stake": draw(small(["unlimited", 50.0, 300.0])),
        "amend": draw(st.booleans()),
        "wallet": draw(small([30.0, 1000.0, 1234.5678, 1e6])),
        "fee": draw(small([0.0, 0.0002, 0.0005, 0.00045, 0.001])),
        "can_short": draw(small([True, True, False])),
        "margin": draw(small(["isolated", "cross"])),
        "protections": tuple(draw(st.lists(protections(), max_size=3))),
        "custom_stop": draw(st.booleans()),
        "risk_per_trade": draw(small([0.005, 0.02, 0.2])),
        "trail_after_r": draw(small([float("inf"), 0.5, 1.0])),
        "liquidation_margin": draw(small([0.5, 0.0])),
        "drawdown": draw(small([0.1, 0.1, 10.0])),
        "daily_loss": draw(small([0.02, 0.02, 10.0])),
        "time_stop": draw(small([float("inf"), 4.0, 20.0])),
        "least_r": draw(small([0.0, 0.5])),
        "budget": draw(small([0.0, 0.0005, 0.0015])),
        "off_hours": draw(st.booleans()),
        "slices": draw(small([False, False, True])),
        "most_entries": draw(small([4, 4, 0, 1, -1])),
        "most_slices": draw(small([1.0, 2.0, 3.5, 5.0])),
        "participation": draw(small([0.0, 1e-6, 1e-4, 0.001, 0.02])),
    }
    return make(**(fields | THEMES[draw(small(sorted(THEMES)))]))


def check(arenas, case_type, strategy, count, number) -> int:
    """Compare `count` drawn cases; answer how many trades they had."""
    trades = 0

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(case=cases(case_type))
    def compare(case) -> None:
        nonlocal trades
        try:
            ours, theirs = arenas[strategy].run(case)
        except ConfigError as refused:
            assume("too high" not in str(refused))  # Freqtrade itself gives up on such a stake
            raise
        if ours.reasons == (TOO_MANY_ENTRIES,):  # it says so, and Freqtrade's trades are its answer
            entries = [trade.nr_of_successful_entries for trade in LocalTrade.bt_trades]
            assert max(entries) >= MOST_ENTRIES
            return
        assert ours.engine == "kernel", ours.reasons
        assert [str(found) for found in differences(ours, theirs, tolerance=0.0)] == []
        trades += len(theirs.trades)

    compare()
    return trades


@pytest.mark.parametrize("strategy", MODEL)
def test_random_markets_agree_to_the_last_bit(arenas, case_type, strategy):
    assert check(arenas, case_type, strategy, 40, SEED) > 40


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("strategy", MODEL)
@pytest.mark.parametrize("part", range(3))
def test_many_random_markets_agree(arenas, case_type, strategy, part):
    assert check(arenas, case_type, strategy, 250, SEED + 1 + part) > 250


@pytest.mark.prove
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("strategy", MODEL)
@pytest.mark.parametrize("part", range(10))
def test_thousands_of_random_markets_agree(proofs, arenas, case_type, strategy, part):
    name = ("random", strategy, 500, SEED + 100 + part)
    if proofs.left([name]):
        trades = check(arenas, case_type, strategy, 500, SEED + 100 + part)
        assert trades > 500
        proofs.add(name, trades=trades)


def test_a_repriced_entry_trails_from_a_price_between_two_ticks(arenas, case_type):
    """Without a fee such a fill is at a profit of 3e-8, and the stop trails at once."""
    waits = THEMES["waiting orders"] | {"seed": 0, "candles": 110, "month_break": 0, "fee": 0.0}
    trails = {"stoploss": -0.01, "trailing": Trailing(True, 0.002, 0.0), "custom_stop": False}
    sized = {"slots": -1, "stake": 50.0, "risk_per_trade": 0.005}
    ours, theirs = arenas["PackProbeStrategy"].run(case_type(**waits | trails | sized))
    assert [str(found) for found in differences(ours, theirs, tolerance=0.0)] == []
    between = ours.trades["open_time"] != ours.trades["fill_time"]
    moved = ours.trades["stop"] != ours.trades["initial_stop"]
    assert (between & moved).any()


def test_the_ladder_rearms_after_a_week(arenas, case_type):
    case = case_type(
        **THEMES["ladder"]
        | {"seed": 11, "pairs": 2, "candles": 4500, "month_break": 150, "daily_loss": 10.0}
    )
    ours, theirs = arenas["PackProbeStrategy"].run(case)
    rearms = arenas["PackProbeStrategy"].prepared.strategy._ladder[-1]
    assert rearms >= 1
    assert ours.engine == "kernel", ours.reasons
    assert [str(found) for found in differences(ours, theirs, tolerance=0.0)] == []
    week = theirs.start + np.timedelta64(7, "D")
    assert (theirs.trades["open_time"] < week).any()
    assert (theirs.trades["open_time"] > week).any()
