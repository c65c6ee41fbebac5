import numpy as np
import pytest

from automation.simulator.rules import KNOWN, decimals_in, exchange_info, rules_for, symbol_info

BITCOIN = np.array([60000.1, 60000.5])


def filters(rules):
    row = symbol_info(("BTCUSDT", "BTC", "USDT"), rules, 0, "TRADING")
    return {each["filterType"]: each for each in row["filters"]}


def test_known_symbols_have_binances_rules():
    rules = rules_for("BTCUSDT", BITCOIN, np.array([0.001]))
    assert rules == KNOWN["BTCUSDT"]
    assert filters(rules)["PRICE_FILTER"]["tickSize"] == "0.10"
    assert filters(rules)["LOT_SIZE"]["stepSize"] == "0.001"
    assert filters(rules)["MIN_NOTIONAL"]["notional"] == "100"


def test_finer_data_makes_known_rules_finer():
    rules = rules_for("SOLUSDT", np.array([123.456]), np.array([1.0]))
    assert (rules.tick, rules.step, rules.price_precision) == ("0.0010", "0.01", 4)


def test_other_symbols_get_the_decimals_of_their_data():
    rules = rules_for("PEPEUSDT", np.array([0.0000123, 0.00002]), np.array([12.5, 3.0]))
    assert (rules.tick, rules.step) == ("0.0000001", "0.1")
    assert (rules.price_precision, rules.quantity_precision) == (7, 1)


@pytest.mark.parametrize(
    ("numbers", "decimals"),
    [([1.0, 2.0], 0), ([1.25], 2), ([0.1 + 0.2], 1), ([np.nan, 1.5], 1), ([np.pi], 8), ([], 0)],
)
def test_decimals_ignore_dirt_and_holes(numbers, decimals):
    assert decimals_in(np.array(numbers)) == decimals


def test_every_symbol_carries_what_freqtrade_needs():
    rows = [
        symbol_info((symbol, symbol[:-4], "USDT"), rules, 5, "TRADING")
        for symbol, rules in KNOWN.items()
    ]
    body = exchange_info(rows, 77)
    assert body["serverTime"] == 77
    for row in body["symbols"]:
        assert row["deliveryDate"] == 4133404800000
        assert row["contractType"] == "PERPETUAL"
        assert "STOP_MARKET" in row["orderTypes"]
        assert {each["filterType"] for each in row["filters"]} == {
            "PRICE_FILTER",
            "LOT_SIZE",
            "MARKET_LOT_SIZE",
            "MAX_NUM_ORDERS",
            "MAX_NUM_ALGO_ORDERS",
            "MIN_NOTIONAL",
            "PERCENT_PRICE",
        }
