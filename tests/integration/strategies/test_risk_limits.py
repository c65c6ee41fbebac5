"""What no profile may lose: no liquidation, no stop behind it, no day beyond the limit by more than a candle."""

import json

import numpy as np
import pandas as pd
import pytest

from tradekit.profiles import PROFILES

GROUPS = {
    "5m": ["TrendFollowingStrategy", "FuturesAIRiskStrategy", "RossCameronFuturesStrategy"],
    "15m": ["VolatilityBreakoutStrategy"],
    "1h": ["MeanReversionStrategy"],
}
CRASH = ("20240725", "20240815")  # with the fifth of August
LUNA = ("20220601", "20220701")  # at 15m and 1h, where there are candles
CASES = [("5m", CRASH), ("15m", CRASH), ("1h", CRASH), ("15m", LUNA), ("1h", LUNA)]

pytestmark = [pytest.mark.real_data, pytest.mark.xdist_group("freqtrade"), pytest.mark.prove]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("timeframe", "span"), CASES)
def test_the_limits_hold(freqtrade, results_of, data_dir, tmp_path, profile, timeframe, span):
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
        check_days(result, data_dir, timeframe, limits.daily_loss_frac)


def check_days(result, data_dir, timeframe, limit_frac):
    """No day loses more than the limit and the worst move of one candle, open trades marked."""
    equity = marked_equity(result, data_dir, timeframe)
    worst_candle = float(np.max(np.maximum(-np.diff(equity), 0.0), initial=0.0))
    begun = equity.groupby(equity.index.floor("D")).transform("first")
    assert (begun - equity <= limit_frac * begun + worst_candle).all()


def marked_equity(result, data_dir, timeframe):
    """Return the account's worth at each opening, from trades and the closes before it."""
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
        equity[held] += side * trade["amount"] * (close[held] - trade["open_rate"])
        equity[grid >= closed] += trade["profit_abs"]
    return equity
