"""Slices in a real backtest: a stake too large for a candle is entered over several."""

import json

import pytest

from tradekit.profiles import MODERATE

CAPITAL_USDT = 50_000_000  # so that 2 % of what a candle trades is less than a stake

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.long,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("freqtrade"),
]


def test_large_stakes_are_entered_in_slices(freqtrade, results_of, root, tmp_path):
    overlay = tmp_path / "capital.json"
    overlay.write_text(json.dumps({"dry_run_wallet": CAPITAL_USDT}))
    freqtrade(
        "backtesting", "-c", str(root / "configs" / "slices.json"), "-c", str(overlay),
        "--timerange", "20240220-20240312", "--cache", "none", "--strategy", "TrendFollowingStrategy",
    )  # fmt: skip
    result = results_of()["TrendFollowingStrategy"]
    trades = result["trades"]
    entries = [[order for order in trade["orders"] if order["ft_is_entry"]] for trade in trades]
    assert len(trades) > 5
    assert max(len(orders) for orders in entries) == 5  # `most_slices`
    equity = CAPITAL_USDT
    for trade, orders in sorted(
        zip(trades, entries, strict=True), key=lambda one: one[0]["close_timestamp"]
    ):
        times = [order["order_filled_timestamp"] for order in orders]
        assert len(set(times)) == len(times)  # one a candle
        assert times == sorted(times)
        # never beyond the budget from the first rate
        first, side = orders[0]["safe_price"], -1.0 if trade["is_short"] else 1.0
        assert all(side * (order["safe_price"] / first - 1.0) <= 0.0016 for order in orders)
        # the whole of it risks what one trade may, from the mean entry to the stop
        assert trade["profit_abs"] > -1.5 * MODERATE.risk_per_trade_frac * equity
        equity += trade["profit_abs"]


def test_small_stakes_are_not(freqtrade, results_of, root):
    freqtrade(
        "backtesting", "-c", str(root / "configs" / "slices.json"), "--timerange",
        "20240226-20240304", "--cache", "none", "--strategy", "TrendFollowingStrategy",
    )  # fmt: skip
    trades = results_of()["TrendFollowingStrategy"]["trades"]
    assert trades
    assert all(sum(order["ft_is_entry"] for order in trade["orders"]) == 1 for trade in trades)
