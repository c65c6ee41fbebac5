"""What no profile may lose: no liquidation, no stop behind it, no day beyond the limit by more than a candle.

Over all real candles by the compiled engine, whose trades equal Freqtrade's, in isolated and in cross
margin; in crashes by Freqtrade itself. The candle beyond the limit is the one that reached it, not
any candle of the day. A seeded sample of both is run by `make test-long`, the rest by `make prove`.
"""

import json
import random
import sys

import numpy as np
import pytest
from freqtrade.enums import MarginMode

from automation.app.results import exchange_of
from automation.worker.engine import evaluate, prepare
from automation.worker.jobs import EngineJob
from tests.integration.strategies import marks
from tradekit.profiles import PROFILES

GROUPS = {
    "5m": ["TrendFollowingStrategy", "FuturesAIRiskStrategy", "RossCameronFuturesStrategy"],
    "15m": ["VolatilityBreakoutStrategy"],
    "1h": ["MeanReversionStrategy"],
}
STRATEGIES = [name for names in GROUPS.values() for name in names]
CRASH = ("20240725", "20240815")  # with the fifth of August
LUNA = ("20220601", "20220701")  # at 15m and 1h, where there are candles
SEED = 11

THREE = ("BTC", "ETH", "SOL")
SIX = (*THREE, "BNB", "XRP", "DOGE")
NINE = (*SIX, "ADA", "LINK", "TRX")
# All candles there are: timeframe, bases, range. Every strategy runs on every one of them.
MARKETS = [
    ("5m", (*THREE, "LTC"), "20230110-20250701"),
    ("5m", SIX, "20250110-20250701"),
    ("15m", NINE, "20220120-20250701"),
    ("1h", (*NINE, "LTC"), "20191101-20250701"),
]
MARGINS = (MarginMode.ISOLATED, MarginMode.CROSS)
NO_FUNDING = (np.empty(0, dtype=np.int64), np.empty(0))
CASES = [("5m", CRASH), ("15m", CRASH), ("1h", CRASH), ("15m", LUNA), ("1h", LUNA)]

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.xdist_group("freqtrade"),
    pytest.mark.filterwarnings("ignore:The inplace keyword"),  # Freqtrade's own use of pandas
]


def sampled(cases, count):
    """Mark `count` of the cases, drawn by the seed, for `make test-long`, the rest for `make prove`."""
    chosen = random.Random(SEED).sample(range(len(cases)), count)
    return [
        pytest.param(
            *case,
            marks=pytest.mark.long if place in chosen else pytest.mark.prove,
            id="-".join(text_of(part) for part in case),
        )
        for place, case in enumerate(cases)
    ]


def text_of(part):
    """Return a case's part for a test's name: a market by its timeframe, pairs and first day."""
    if isinstance(part, str):
        return part
    return part[0] if len(part) == 2 else f"{part[0]}_{len(part[1])}_{part[2][:8]}"


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize(
    ("name", "market"),
    sampled([(name, market) for market in MARKETS[::-1] for name in STRATEGIES], 1),
)
def test_the_limits_hold_on_all_candles(data_dir, name, market):
    timeframe, bases, span = market
    pairs = tuple(f"{base}/USDT:USDT" for base in bases)
    overrides = {"timeframe": timeframe, "enable_protections": True}
    job = EngineJob(
        name, data_dir, span, pairs, overrides=overrides, exchange_info=exchange_of(pairs)
    )
    prepared = prepare(job)
    assert prepared.strategy.timeframe == timeframe
    tape = None
    for limits in PROFILES.values():
        take(prepared, limits)
        found = {}
        for margin in MARGINS:
            prepared.loaded.backtesting.margin_mode = margin  # no column depends on it
            result = found[margin] = evaluate(prepared)
            assert result.engine == "kernel", result.reasons
            assert len(result.trades) > 100
            check_trades(result, limits)
            tape = tape or marks.tape_of(data_dir, timeframe, pairs, result.start, result.end)
            days = days_of(result.start_balance, marks.held_by_engine(result), tape, limits)
            sys.stdout.write(
                f"\n{name} {timeframe} {len(bases)} pairs {span} {margin} {limits.name}: "
                f"{len(result.trades)} trades, worst day {days['worst'].max():.3%}, "
                f"beyond limit and candle {days['beyond'].max():.4%}"
            )
            sys.stdout.flush()
            assert days["beyond"].max() <= 0.0
        isolated, cross = (found[margin].trades["liquidation"] for margin in MARGINS)
        assert len(isolated) != len(cross) or (isolated != cross).any()  # the switch was taken


def take(prepared, limits):
    """Give the loaded strategy another profile; its columns follow."""
    strategy = prepared.strategy
    strategy.profile = limits
    strategy.risk_per_trade_frac = limits.risk_per_trade_frac * strategy.risk_share
    strategy.highest_leverage = min(type(strategy).highest_leverage, limits.highest_leverage)
    prepared.kept.clear()


def check_trades(result, limits):
    trades = result.trades
    reasons = [result.tags[place] for place in trades["exit_reason"]]
    assert "liquidation" not in reasons
    assert (trades["leverage"] <= limits.highest_leverage).all()
    side = np.where(trades["is_short"], -1.0, 1.0)
    assert (side * (trades["stop"] - trades["liquidation"]) > 0.0).all()
    # the first stop uses half of the way to the liquidation at most; a trailed one less
    way = side * (trades["open_rate"] - trades["liquidation"])
    assert (side * (trades["open_rate"] - trades["stop"]) <= 0.5 * way).all()


def days_of(start_usdt, trades, tape, limits):
    equity = marks.marked_equity(start_usdt, trades, tape)
    return marks.days_lost(tape.opened_s, equity, limits.daily_loss_frac)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("timeframe", "span", "profile", "margin"),
    sampled([(*case, each, mode) for case in CASES for each in PROFILES for mode in MARGINS], 1),
)
def test_the_limits_hold_in_crashes(
    freqtrade, results_of, data_dir, tmp_path, timeframe, span, profile, margin
):
    overlay = tmp_path / "profile.json"
    overlay.write_text(json.dumps({"freqfleet": {"profile": profile}, "margin_mode": margin.value}))
    freqtrade(
        "backtesting", "-c", str(overlay), "--timerange", "-".join(span), "--cache", "none",
        "--timeframe", timeframe, "--enable-protections", "--strategy-list", *GROUPS[timeframe],
    )  # fmt: skip
    limits = PROFILES[profile]
    pairs = tuple(f"{base}/USDT:USDT" for base in THREE)
    for name in GROUPS[timeframe]:
        result = results_of()[name]
        for trade in result["trades"]:
            assert trade["exit_reason"] != "liquidation"
            assert trade["leverage"] <= limits.highest_leverage
        start, end = (
            np.datetime64(result[f"backtest_{edge}_ts"], "ms") for edge in ("start", "end")
        )
        tape = marks.tape_of(data_dir, timeframe, pairs, start, end)
        days = days_of(result["starting_balance"], marks.held_in_file(result), tape, limits)
        sys.stdout.write(
            f"\n{name} {timeframe} {'-'.join(span)} {margin} {profile}: {len(result['trades'])} trades, "
            f"worst day {days['worst'].max():.3%}, beyond limit and candle {days['beyond'].max():.4%}"
        )
        assert days["beyond"].max() <= 0.0


def test_a_candle_is_one_step_for_all_positions():
    hour_s = 3_600
    opened_s = np.arange(72) * hour_s
    close = np.full(72, 100.0)
    close[30:] = 95.0  # one candle falls, and stops one of two trades
    before = np.concatenate(([np.nan], close[:-1]))
    tape = marks.Tape(opened_s, {"A": before, "B": before}, {"A": NO_FUNDING, "B": NO_FUNDING})
    stopped = marks.Held("A", False, 0, 30 * hour_s, True, 100.0, 50.0, 0.0, -250.0)
    closed = marks.Held("B", False, 0, 31 * hour_s, False, 100.0, 50.0, 0.0, -250.0)
    equity = marks.marked_equity(10_000.0, iter([stopped, closed]), tape)
    assert equity[30] == 10_000.0
    assert equity[31] == 9_500.0
    assert marks.days_lost(opened_s, equity, 0.02)["beyond"].max() < 0.0
    # a further loss after the candle that reached the limit is beyond it
    equity[35:] -= 300.0
    beyond = marks.days_lost(opened_s, equity, 0.02)["beyond"]
    assert beyond.max() == pytest.approx(0.08 - 0.02 - 0.05)


def test_funding_falls_on_the_day_it_was_paid():
    hour_s = 3_600
    opened_s = np.arange(72) * hour_s
    close = np.full(72, 100.0)
    paid = (np.array([8, 32]) * hour_s, np.array([0.1, 0.2]))  # USDT a coin
    tape = marks.Tape(opened_s, {"A": close}, {"A": paid})
    trade = marks.Held("A", True, 0, 40 * hour_s, False, 100.0, 10.0, 0.0, 3.0)
    equity = marks.marked_equity(1_000.0, iter([trade]), tape)
    assert list(equity[[8, 9, 32, 33, 40]]) == [1_000.0, 1_001.0, 1_001.0, 1_003.0, 1_003.0]
