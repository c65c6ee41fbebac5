"""What the ladder reads of a bot's answers: exactly the fields that Freqtrade's API gives."""

import pytest

from automation.core.vitals import NO_VITALS
from automation.fleet.ladder import answers

PAIR = "BTC/USDT:USDT"


def order(side="buy", is_open=True, **more):
    return {
        "pair": PAIR, "order_id": "1", "status": "open", "amount": 1.0, "safe_price": 100.0,
        "cost": 100.0, "filled": 0.0, "ft_order_side": side, "order_type": "limit",
        "is_open": is_open, "order_timestamp": 1_700_000_000_000, "remaining": 1.0,
    } | more  # fmt: skip


def trade(*orders, **more):
    return {
        "trade_id": 7, "open_timestamp": 1_699_999_990_000, "pair": PAIR, "is_short": False,
        "amount": 1.0, "open_fill_timestamp": 1_700_000_005_000, "orders": list(orders),
    } | more  # fmt: skip


def read(*trades):
    return answers.with_trades(NO_VITALS, trades, 5.0)


def test_every_field_that_is_read_is_one_that_freqtrade_answers():
    schemas = pytest.importorskip("freqtrade.rpc.api_server.api_schemas")
    assert set(order()) <= set(schemas.OrderSchema.model_fields)
    assert set(trade()) <= set(schemas.OpenTradeSchema.model_fields)
    config = {"dry_run", "stoploss_on_exchange", "unfilledtimeout", "timeframe_ms", "state"}
    assert config <= set(schemas.ShowConfig.model_fields)
    candles = {"all_columns", "columns", "data", "length", "last_analyzed_ts"}
    assert candles <= set(schemas.PairHistory.model_fields)


@pytest.mark.parametrize(
    ("side", "is_short", "is_entry"),
    [("buy", False, True), ("sell", False, False), ("sell", True, True), ("buy", True, False)],
)
def test_an_open_order_is_an_entry_or_an_exit(side, is_short, is_entry):
    (found,) = read(trade(order(side), is_short=is_short)).orders
    assert (found.is_entry, found.trade_id, found.pair) == (is_entry, 7, PAIR)
    assert found.placed_epoch_s == 1_700_000_000


def test_a_stop_is_no_order_to_wait_for():
    vitals = read(trade(order("buy", is_open=False), order("stoploss")))
    assert vitals.orders == ()
    assert vitals.trades[0].has_stop
    assert vitals.trades[0].filled_epoch_s == 1_700_000_005


def test_a_cancelled_stop_is_none():
    assert not read(trade(order("stoploss", is_open=False))).trades[0].has_stop


@pytest.mark.parametrize(
    ("config", "needs_stops", "limit_s"),
    [
        ({"dry_run": True, "stoploss_on_exchange": True}, False, None),
        ({"dry_run": False, "stoploss_on_exchange": False}, False, None),
        ({"dry_run": False, "stoploss_on_exchange": True}, True, None),
        ({"unfilledtimeout": {"entry": 10, "exit": 30, "unit": "minutes"}}, False, 1800.0),
        ({"unfilledtimeout": {"entry": 10, "exit": 5, "unit": "seconds"}}, False, 10.0),
        ({"unfilledtimeout": {"entry": 10}}, False, 600.0),
    ],
)
def test_what_the_configuration_tells(config, needs_stops, limit_s):
    vitals = answers.with_config(NO_VITALS, config)
    assert (vitals.needs_stops, vitals.order_limit_s) == (needs_stops, limit_s)


def candles(*columns, opened_ms=1_700_000_000_000, length=1):
    return {
        "columns": ["date", "__date_ts"], "data": [["", opened_ms]], "length": length,
        "all_columns": list(columns), "last_analyzed_ts": 1_700_000_301,
    }  # fmt: skip


def test_candles_and_signals_of_each_pair():
    vitals = answers.with_candle(NO_VITALS, PAIR, candles("enter_long"), [PAIR], 300)
    assert vitals.candles == ((PAIR, 1_700_000_300.0),)
    assert vitals.analyzed == ((PAIR, 1_700_000_301.0),)
    assert vitals.without_signals == ""
    lacking = answers.with_candle(vitals, PAIR, candles("close"), [PAIR], 300)
    assert lacking.without_signals == PAIR
    again = answers.with_candle(lacking, PAIR, candles("enter_short"), [PAIR], 300)
    assert again.without_signals == ""
    assert answers.with_candle(lacking, PAIR, candles(length=0), [], 300).candles == ()
