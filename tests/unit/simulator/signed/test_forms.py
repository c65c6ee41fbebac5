"""Same keys, types and string-or-number form as documented and recorded answers."""

import json
import re

import pytest

NET = "binance_net_usdm/Endpoints/UsdFutures"
NAUTILUS = "nautilus_binance"
BTC = {"symbol": "BTCUSDT"}


def limit(client):
    return BTC | {
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.02",
        "price": round(client.price * 0.97, 1),
    }


def stop(client):
    return BTC | {
        "side": "SELL",
        "type": "STOP_MARKET",
        "algoType": "CONDITIONAL",
        "quantity": "0.02",
        "triggerPrice": round(client.price * 0.97, 1),
        "reduceOnly": "true",
    }


def settle(client):
    """Bring the account into a state in which every list has a row."""
    client("POST", "v1/marginType", **BTC, marginType="ISOLATED")
    client.buy()
    client("POST", "v1/positionMargin", **BTC, amount="1.5", type=1)
    made = client("POST", "v1/order", **limit(client))
    client("PUT", "v1/order", **(limit(client) | {"quantity": "0.03"}), orderId=made["orderId"])
    client("POST", "v1/algoOrder", **stop(client))


def first_order(client):
    return {"orderId": client("GET", "v1/openOrders")[0]["orderId"]}


def first_algo(client):
    return {"algoId": client("GET", "v1/openAlgoOrders")[0]["algoId"]}


# method and path, parameters, documented form, recorded forms, and keys that only other modes have
CASES = {
    "POST v1/order": (limit, [f"{NET}/Trading/PlaceOrder.txt"]),
    "PUT v1/order": (
        lambda c: limit(c) | {"price": round(c.price * 0.95, 1)} | first_order(c),
        [f"{NET}/Trading/EditOrder.txt"],
    ),
    "GET v1/order": (
        lambda c: BTC | first_order(c),
        [f"{NET}/Trading/GetOrder.txt", f"{NAUTILUS}/rust_test_data/http_json/order_response.json"],
    ),
    "GET v1/openOrder": (lambda c: BTC | first_order(c), [f"{NET}/Trading/GetOpenOrder.txt"]),
    "GET v1/openOrders": (lambda _: BTC, [f"{NET}/Trading/GetOpenOrders.txt"]),
    "GET v1/allOrders": (
        lambda _: BTC,
        [f"{NET}/Trading/GetOrders.txt", f"{NAUTILUS}/http/http_futures_account_orders.json"],
    ),
    "GET v1/orderAmendment": (lambda _: BTC, [f"{NET}/Trading/GetOrderEditHistory.txt"]),
    "DELETE v1/order": (lambda c: BTC | first_order(c), [f"{NET}/Trading/CancelOrder.txt"]),
    "DELETE v1/allOpenOrders": (lambda _: BTC, [f"{NET}/Trading/CancelAllOrders.txt"]),
    "POST v1/countdownCancelAll": (
        lambda _: BTC | {"countdownTime": 1000},
        [f"{NET}/Trading/CancelAllOrdersAfterTimeout.txt"],
    ),
    "POST v1/algoOrder": (stop, [f"{NET}/Trading/PlaceConditionalOrder.txt"]),
    "GET v1/openAlgoOrders": (lambda _: {}, [f"{NET}/Trading/GetOpenConditionalOrders.txt"]),
    "DELETE v1/algoOrder": (first_algo, [f"{NET}/Trading/CancelConditionalOrder.txt"]),
    "DELETE v1/algoOpenOrders": (lambda _: BTC, [f"{NET}/Trading/CancelAllConditionalOrders.txt"]),
    "GET v1/userTrades": (
        lambda _: BTC,
        [f"{NET}/Trading/GetUserTrades.txt", f"{NAUTILUS}/http/http_futures_account_trades.json"],
    ),
    "GET v3/positionRisk": (lambda _: BTC, [f"{NET}/Trading/GetPositions.txt"]),
    "GET v2/positionRisk": (
        lambda _: BTC,
        [
            f"{NET}/Account/GetPositionInformation.txt",
            f"{NAUTILUS}/rust_test_data/http_json/position_risk.json",
            f"{NAUTILUS}/http/http_futures_account_positions_one_way.json",
        ],
    ),
    "GET v3/balance": (
        lambda _: {},
        [f"{NET}/Account/GetBalances.txt", f"{NAUTILUS}/rust_test_data/http_json/balance.json"],
    ),
    "GET v3/account": (lambda _: {}, [f"{NET}/Account/GetAccountInfoV3.txt"]),
    "GET v2/account": (
        lambda _: {},
        [
            f"{NET}/Account/GetAccountInfo.txt",
            f"{NAUTILUS}/rust_test_data/http_json/account_info_v2.json",
        ],
    ),
    "GET v1/leverageBracket": (lambda _: BTC, [f"{NET}/Account/GetBrackets.txt"]),
    "POST v1/leverage": (
        lambda _: BTC | {"leverage": 21},
        [f"{NET}/Account/ChangeInitialLeverage.txt"],
    ),
    "POST v1/marginType": (
        lambda _: {"symbol": "ETHUSDT", "marginType": "ISOLATED"},
        [f"{NET}/Account/ChangeMarginType.txt"],
    ),
    "POST v1/positionMargin": (
        lambda _: BTC | {"amount": 1, "type": 1},
        [f"{NET}/Account/ModifyPositionMargin.txt"],
    ),
    "GET v1/positionMargin/history": (lambda _: BTC, [f"{NET}/Account/GetMarginChangeHistory.txt"]),
    "GET v1/commissionRate": (
        lambda _: BTC,
        [
            f"{NET}/Account/GetUserCommissionRate.txt",
            f"{NAUTILUS}/http/http_futures_wallet_commission_rate_btcusdt.json",
        ],
    ),
    "GET v1/income": (
        lambda _: {"incomeType": "COMMISSION"},
        [f"{NET}/Account/GetIncomeHistory.txt"],
    ),
    "GET v1/positionSide/dual": (
        lambda _: {},
        [f"{NAUTILUS}/http/http_futures_account_position_side_dual.json"],
    ),
    "GET v1/multiAssetsMargin": (lambda _: {}, [f"{NET}/Account/GetMultiAssetsMode.txt"]),
    "GET v1/accountConfig": (lambda _: {}, [f"{NET}/Account/GetAccountConfiguration.txt"]),
    "GET v1/symbolConfig": (
        lambda _: BTC,
        [f"{NAUTILUS}/http/http_futures_account_symbol_config.json"],
    ),
    "GET v1/adlQuantile": (lambda _: {}, [f"{NET}/Account/GetPositionAdlQuantileEstimation.txt"]),
    "GET v1/feeBurn": (lambda _: {}, [f"{NET}/Account/GetBnbBurnStatus.txt"]),
    "GET v1/rateLimit/order": (lambda _: {}, [f"{NET}/Account/GetOrderRateLimit.txt"]),
    "POST v1/listenKey": (lambda _: {}, [f"{NET}/Account/StartUserStream.txt"]),
    "DELETE v1/listenKey": (lambda _: {}, [f"{NET}/Account/StopUserStream.txt"]),
}
ELSEWHERE = {"activatePrice", "priceRate", "HEDGE"}  # trailing stops and hedge mode


def documented(path):
    """The body of a documented example, without comments and notes."""
    written = path.read_text()
    if path.suffix == ".txt":
        written = written.split("\n", 3)[3]
    return json.loads(re.sub(r"//.*", "", written))


def kind(value):
    if isinstance(value, bool):
        return "flag"
    return "number" if isinstance(value, int | float) else type(value).__name__


def compare(ours, theirs, where=""):
    """Every documented key is there, with the same form."""
    if isinstance(theirs, list):
        assert isinstance(ours, list), where
        if theirs and isinstance(theirs[0], dict):
            assert ours, f"{where}: no row to compare"
            compare(ours[0], theirs[0], where)
        return
    for key, value in theirs.items():
        if key in ELSEWHERE:
            continue
        assert key in ours, f"{where}.{key} is missing"
        if isinstance(value, dict | list):
            compare(ours[key], value, f"{where}.{key}")
        elif value is not None and ours[key] is not None and (value, key) != ("", "tradeId"):
            assert kind(ours[key]) == kind(value), f"{where}.{key}: {ours[key]!r} for {value!r}"


@pytest.mark.fixtures
@pytest.mark.parametrize("case", CASES)
def test_form(client, fixtures_dir, case):
    settle(client)
    method, path = case.split(" ")
    parameters, examples = CASES[case]
    ours = client(method, path, **parameters(client))
    for example in examples:
        compare(ours, documented(fixtures_dir / example), case)


@pytest.mark.fixtures
def test_form_of_a_triggered_order(client, fixtures_dir):
    client.buy()
    close = round(client.price * 0.9997, 1)
    made = client("POST", "v1/algoOrder", **(stop(client) | {"triggerPrice": close}))
    for _ in range(2000):
        client.clock.go(5)
        found = client("GET", "v1/algoOrder", algoId=made["algoId"])
        if found["algoStatus"] != "NEW":
            break
    assert found["algoStatus"] == "FINISHED"
    compare(found, documented(fixtures_dir / f"{NET}/Trading/GetConditionalOrder.txt"))
    became = client("GET", "v1/order", **BTC, orderId=found["actualOrderId"])
    assert (became["status"], became["executedQty"]) == ("FILLED", "0.020")
