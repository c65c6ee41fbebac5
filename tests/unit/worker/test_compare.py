"""The comparison sees every field, and money only beyond its tolerance."""

from dataclasses import replace

import numpy as np
import pytest

from automation.worker.compare import EXACT, MONEY, differences
from automation.worker.results import TRADE_DTYPE, EngineResult


def result(**fields) -> EngineResult:
    trades = np.zeros(2, dtype=TRADE_DTYPE)
    trades["stake_amount"] = 100.0
    trades["open_rate"] = 10.0
    trades["close_time"] = np.array(["2024-01-01T00:10", "2024-01-01T00:20"], dtype="M8[s]")
    trades["exit_reason"] = 1
    made = EngineResult(
        pairs=("BTC/USDT:USDT",),
        trades=trades,
        tags=(None, "roi", "stop_loss"),
        start_balance=1000.0,
        final_balance=1000.0,
        rejected_signals=0,
        timed_out_entries=0,
        timed_out_exits=0,
        start=np.datetime64("2024-01-01", "s"),
        end=np.datetime64("2024-01-02", "s"),
        engine="kernel",
    )
    return replace(made, **fields)


def changed(field: str, value: object) -> EngineResult:
    made = result()
    made.trades[field][1] = value
    return made


def test_equal_results_have_no_differences():
    assert differences(result(), result()) == []


@pytest.mark.parametrize("field", EXACT)
def test_every_exact_field_counts(field):
    kind = TRADE_DTYPE[field].kind
    value = {"f": 10.0 * (1 + 1e-15), "b": True, "M": np.datetime64("2024-02-01", "s")}[kind]
    found = differences(changed(field, value), result())
    assert [(difference.trade, difference.field) for difference in found] == [(1, field)]


@pytest.mark.parametrize("field", MONEY)
def test_money_counts_beyond_its_part_of_the_stake(field):
    before = 100.0 if field == "stake_amount" else 0.0
    assert differences(changed(field, before + 0.9e-6), result()) == []
    assert [d.field for d in differences(changed(field, before + 1.1e-6), result())] == [field]
    assert differences(changed(field, before + 0.9e-6), result(), tolerance=0.0)


def test_tags_are_compared_as_texts():
    theirs = result(tags=("stop_loss", "roi", None))
    theirs.trades["enter_tag"] = 2
    assert differences(result(), theirs) == []
    assert [d.field for d in differences(changed("exit_reason", 2), result())] == ["exit_reason"]


def test_counters_balance_and_length_are_compared():
    assert [d.field for d in differences(result(rejected_signals=1), result())] == [
        "rejected_signals"
    ]
    assert [d.field for d in differences(result(final_balance=999.0), result())] == [
        "final_balance"
    ]
    shorter = result(trades=result().trades[:1])
    assert str(differences(shorter, result())[0]) == "result: trades 1 != 2"


def test_a_nan_is_a_difference():
    assert differences(changed("profit_abs", np.nan), result())


def test_liquidation_prices_are_compared_where_they_are_told():
    (found,) = differences(changed("liquidation", 7.0), result())
    assert found.field == "liquidation"
    assert differences(changed("liquidation", 7.0), changed("liquidation", np.nan)) == []
