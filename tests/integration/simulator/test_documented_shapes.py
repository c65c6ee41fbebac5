"""Same keys, types and string-or-number form as documented and recorded answers."""

import json
import re

import pytest

from automation.core.clock import SystemClock
from automation.simulator import open_market
from automation.simulator.rest import Rest
from automation.simulator.timeline import Timeline
from automation.simulator.venue import Venue

NET = "binance_net_usdm/Endpoints/UsdFutures/ExchangeData"
NAUTILUS = "nautilus_binance/http/http_futures_market"
SYMBOL = "symbol=BTCUSDT"
CASES = {
    f"/fapi/v1/klines?{SYMBOL}&interval=5m": (f"{NET}/GetKlines.txt", f"{NAUTILUS}_klines.json"),
    "/fapi/v1/continuousKlines?pair=BTCUSDT&contractType=PERPETUAL&interval=1m": (
        f"{NET}/GetContinuousContractKlines.txt",
        f"{NAUTILUS}_continuous_klines.json",
    ),
    f"/fapi/v1/markPriceKlines?{SYMBOL}&interval=1m": (
        f"{NET}/GetMarkPriceKlines.txt",
        f"{NAUTILUS}_mark_price_klines.json",
    ),
    "/fapi/v1/indexPriceKlines?pair=BTCUSDT&interval=1m": (
        f"{NET}/GetIndexPriceKlines.txt",
        f"{NAUTILUS}_index_price_klines.json",
    ),
    f"/fapi/v1/premiumIndexKlines?{SYMBOL}&interval=1m": (f"{NET}/GetPremiumIndexKlines.txt",),
    f"/fapi/v1/fundingRate?{SYMBOL}": (f"{NET}/GetFundingRates.txt",),
    "/fapi/v1/fundingInfo": (f"{NET}/GetFundingInfo.txt",),
    f"/fapi/v1/premiumIndex?{SYMBOL}": (
        f"{NET}/GetMarkPrice.txt",
        f"{NAUTILUS}_premium_index.json",
    ),
    f"/fapi/v1/depth?{SYMBOL}&limit=5": (f"{NET}/GetOrderBook.txt", f"{NAUTILUS}_depth.json"),
    f"/fapi/v1/trades?{SYMBOL}": (f"{NET}/GetRecentTrades.txt", f"{NAUTILUS}_trades.json"),
    f"/fapi/v1/aggTrades?{SYMBOL}": (
        f"{NET}/GetAggregatedTradeHistory.txt",
        f"{NAUTILUS}_agg_trades.json",
    ),
    f"/fapi/v1/ticker/24hr?{SYMBOL}": (f"{NET}/GetTicker.txt", f"{NAUTILUS}_ticker_24hr.json"),
    f"/fapi/v1/ticker/price?{SYMBOL}": (f"{NET}/GetPrice.txt", f"{NAUTILUS}_ticker_price.json"),
    f"/fapi/v2/ticker/price?{SYMBOL}": (f"{NET}/GetPrice.txt",),
    f"/fapi/v1/ticker/bookTicker?{SYMBOL}": (f"{NET}/GetBookPrice.txt",),
    "/fapi/v1/time": (f"{NET}/GetServerTime.txt",),
}


@pytest.fixture(scope="module")
def ask():
    rest = Rest(Venue(open_market(1), Timeline(SystemClock())))

    def get(target):
        reply = rest.reply("GET", target, "x")
        assert reply.status == 200
        return json.loads(reply.body)

    return get


def load(path):
    text = path.read_text()
    if path.suffix == ".txt":  # method, path and whether it is signed, then the answer
        text = text.split("\n", 3)[3]
    return json.loads(re.sub(r"\s*//.*", "", text))


def shape(value):
    """Keys and types, all the way down; of lists the first entry, or every place of an array."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        if value and not isinstance(value[0], dict | list):
            return [shape(each) for each in value]
        return [shape(each) for each in value[:1]]
    return type(value).__name__


@pytest.mark.fixtures
@pytest.mark.parametrize("target", CASES)
def test_answer_has_the_documented_shape(ask, fixtures_dir, target):
    served = shape(ask(target))
    for name in CASES[target]:
        assert served == shape(load(fixtures_dir / name)), name


@pytest.mark.fixtures
def test_exchange_info_has_the_recorded_keys(ask, fixtures_dir):
    recorded = load(fixtures_dir / f"{NAUTILUS}_exchange_info.json")
    served = ask("/fapi/v1/exchangeInfo")
    assert set(served) == set(recorded)
    assert shape(served["rateLimits"]) == shape(recorded["rateLimits"])
    assert shape(served["assets"]) == shape(recorded["assets"])
    old, new = (
        next(row for row in body["symbols"] if row["symbol"] == "ETHUSDT")
        for body in (recorded, served)
    )
    assert set(new) - set(old) == {"maxMoveOrderLimit"}  # since 2025
    for key in set(old) - {"filters", "underlyingSubType"}:
        assert type(new[key]) is type(old[key]), key
    filters = [{each["filterType"]: shape(each) for each in row["filters"]} for row in (old, new)]
    assert filters[0] == filters[1]


def test_errors_have_code_and_message():
    rest = Rest(Venue(open_market(1), Timeline(SystemClock())))
    reply = rest.reply("GET", "/fapi/v1/klines?symbol=NOPE&interval=1m", "x")
    assert shape(json.loads(reply.body)) == {"code": "int", "msg": "str"}
