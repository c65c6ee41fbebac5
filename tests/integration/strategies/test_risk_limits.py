"""What no profile may lose: no liquidation, no stop behind it, no day beyond the limit by more than a candle.

Over all real candles by the compiled engine, whose trades equal Freqtrade's; in crashes by Freqtrade
itself. A seeded sample of both is run by `make test-long`, the rest by `make prove`.
"""

import json
import random
import sys

import numpy as np
import pandas as pd
import pytest

from automation.app.results import exchange_of
from automation.worker.engine import evaluate, prepare
from automation.worker.jobs import EngineJob
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
    for limits in PROFILES.values():
        take(prepared, limits)
        result = evaluate(prepared)
        assert result.engine == "kernel", result.reasons
        assert len(result.trades) > 100
        check_trades(result, limits)
        equity = marked_equity(result, prepared.loaded.candles)
        excess = worst_excess(equity, limits.daily_loss_frac)
        sys.stdout.write(
            f"\n{name} {timeframe} {len(bases)} pairs {span} {limits.name}: {len(result.trades)} trades, "
            f"worst day {worst_day(equity):.2%}, beyond limit and candle {excess:.3%}"
        )
        assert excess <= 0.0


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


def marked_equity(result, candles):
    """Return the account's worth at each opening: open trades at the close before it, less fees.

    The funding of a trade is spread evenly over its time; else it would fall on the day it closes.
    """
    dates = max((frame["date"] for frame in candles.values()), key=len)
    grid = pd.DatetimeIndex(dates)[pd.DatetimeIndex(dates) >= pd.Timestamp(result.start, tz="UTC")]
    seconds = grid.as_unit("s").asi8
    closes = [
        frame.set_index("date")["close"].reindex(grid).shift(1).to_numpy()
        for frame in (candles[pair] for pair in result.pairs)
    ]
    equity = np.zeros(len(grid))
    for trade in result.trades:
        opened, closed = (
            int(np.searchsorted(seconds, trade[f"{edge}_time"].astype(np.int64)))
            for edge in ("open", "close")
        )
        held = slice(opened + 1, closed)
        mark, amount = closes[trade["pair"]][held], trade["amount"]
        side = -1.0 if trade["is_short"] else 1.0
        fees = trade["fee_open"] * amount * (trade["open_rate"] + mark)
        funding = trade["funding_fees"] * np.linspace(0.0, 1.0, len(mark), endpoint=False)
        equity[held] += side * amount * (mark - trade["open_rate"]) - fees + funding
        equity[closed:] += trade["profit_abs"]
    return pd.Series(result.start_balance + equity, index=grid)


def worst_day(equity):
    begun = equity.groupby(equity.index.floor("D")).transform("first")
    return float((1.0 - equity / begun).max())


def worst_excess(equity, limit_frac):
    """Return by how much a day lost more than the limit and the worst candle of that very day."""
    days = equity.index.floor("D")
    begun = equity.groupby(days).transform("first")
    fall = (-equity.diff()).clip(lower=0.0).groupby(days).transform("max")
    return float(((begun - equity - fall) / begun - limit_frac).max())


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("timeframe", "span", "profile"),
    sampled([(*case, profile) for case in CASES for profile in PROFILES], 1),
)
def test_the_limits_hold_in_crashes(
    freqtrade, results_of, data_dir, tmp_path, timeframe, span, profile
):
    overlay = tmp_path / "profile.json"
    overlay.write_text(json.dumps({"freqfleet": {"profile": profile}}))
    freqtrade(
        "backtesting", "-c", str(overlay), "--timerange", "-".join(span), "--cache", "none",
        "--timeframe", timeframe, "--strategy-list", *GROUPS[timeframe],
    )  # fmt: skip
    limits = PROFILES[profile]
    for name in GROUPS[timeframe]:
        result = results_of()[name]
        for trade in result["trades"]:
            assert trade["exit_reason"] != "liquidation"
            assert trade["leverage"] <= limits.highest_leverage
        equity = file_equity(result, data_dir, timeframe)
        assert worst_excess(equity, limits.daily_loss_frac) <= 0.0


def file_equity(result, data_dir, timeframe):
    """Return the account's worth at each opening from a result file of Freqtrade."""
    start, end = (
        pd.Timestamp(result[f"backtest_{edge}_ts"], unit="ms", tz="UTC")
        for edge in ("start", "end")
    )
    grid = pd.date_range(start, end, freq=timeframe.replace("m", "min"))
    equity = pd.Series(float(result["starting_balance"]), index=grid)
    for trade in result["trades"]:
        name = trade["pair"].replace("/", "_").replace(":", "_")
        frame = pd.read_feather(data_dir / "futures" / f"{name}-{timeframe}-futures.feather")
        close = frame.set_index("date")["close"].shift(1).reindex(grid)
        opened, closed = (
            pd.Timestamp(trade[f"{edge}_timestamp"], unit="ms", tz="UTC")
            for edge in ("open", "close")
        )
        side = -1.0 if trade["is_short"] else 1.0
        held = (grid > opened) & (grid < closed)
        fees = trade["fee_open"] * trade["amount"] * (trade["open_rate"] + close[held])
        funding = (trade["funding_fees"] or 0.0) * np.linspace(0.0, 1.0, held.sum(), endpoint=False)
        equity[held] += side * trade["amount"] * (close[held] - trade["open_rate"]) - fees + funding
        equity[grid >= closed] += trade["profit_abs"]
    return equity
