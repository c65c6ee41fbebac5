"""Signed requests: keys, times, refusals, limits, and what they answer."""

import json

import pytest

from automation.simulator import Limits

LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}


def test_order_lives_and_ends(client):
    made = client("POST", "v1/order", **LIMIT, quantity=0.02, price=round(client.price * 0.97, 1))
    assert made["status"] == "NEW"
    assert client("GET", "v1/openOrders", symbol="BTCUSDT")[0]["orderId"] == made["orderId"]
    done = client("DELETE", "v1/order", symbol="BTCUSDT", orderId=made["orderId"])
    assert done["status"] == "CANCELED"
    assert (
        client("GET", "v1/order", symbol="BTCUSDT", orderId=made["orderId"])["status"] == "CANCELED"
    )


def test_ack_tells_nothing_of_the_fill(client):
    assert client.buy(newOrderRespType="ACK")["executedQty"] == "0.000"
    assert client.buy()["executedQty"] == "0.020"


def test_position_and_account_agree(client):
    client.buy()
    (row,) = client("GET", "v3/positionRisk")
    body = client("GET", "v3/account")
    assert body["positions"][0]["positionAmt"] == row["positionAmt"] == "0.020"
    total = float(body["totalWalletBalance"]) + float(body["totalUnrealizedProfit"])
    assert float(body["totalMarginBalance"]) == pytest.approx(total, abs=1e-8)


@pytest.mark.parametrize(
    ("code", "method", "path", "parameters"),
    [
        (-1102, "POST", "v1/order", {"symbol": "BTCUSDT"}),
        (-1121, "POST", "v1/order", LIMIT | {"symbol": "NOUSDT"}),
        (-1116, "POST", "v1/order", LIMIT | {"type": "SOON", "quantity": 1, "price": 1}),
        (-4120, "POST", "v1/order", LIMIT | {"type": "STOP_MARKET", "quantity": 1}),
        (-1117, "POST", "v1/order", LIMIT | {"side": "LEFT", "quantity": 1, "price": 1}),
        (-1115, "POST", "v1/order", LIMIT | {"timeInForce": "GTT", "quantity": 1, "price": 1}),
        (-1111, "POST", "v1/order", LIMIT | {"quantity": "0.0001", "price": 50_000}),
        (-4014, "POST", "v1/order", LIMIT | {"quantity": "0.02", "price": "50000.05"}),
        (-1100, "POST", "v1/order", LIMIT | {"quantity": "1e-3", "price": 50_000}),
        (-4061, "POST", "v1/order", LIMIT | {"positionSide": "LONG", "quantity": 1, "price": 1}),
        (-4003, "POST", "v1/order", LIMIT | {"quantity": 0, "price": 50_000}),
        (-2011, "DELETE", "v1/order", {"symbol": "BTCUSDT", "orderId": 5}),
        (-2013, "GET", "v1/order", {"symbol": "BTCUSDT", "orderId": 5}),
        (-4028, "POST", "v1/leverage", {"symbol": "BTCUSDT", "leverage": 200}),
        (-4084, "POST", "v1/positionSide/dual", {"dualSidePosition": "true"}),
        (-4059, "POST", "v1/positionSide/dual", {"dualSidePosition": "false"}),
        (-1021, "GET", "v3/account", {"timestamp": 1}),
        (-1131, "GET", "v3/account", {"recvWindow": 60_001}),
        (-5000, "GET", "v1/nothing", {}),
    ],
)
def test_refusals(client, code, method, path, parameters):
    assert client.code(method, path, **parameters) == code


def test_keys_and_signature(client):
    client.who = "x"
    assert client.raw("GET", "v3/account").status == 401
    client.who = "a"
    bad = client.rest.reply("GET", "/fapi/v3/account?timestamp=1&signature=00", "1", "key-a")
    assert json.loads(bad.body)["code"] == -1022
    nobody = client.rest.reply("GET", "/fapi/v3/account?timestamp=1&signature=00", "1")
    assert json.loads(nobody.body)["code"] == -2014
    client.desk.keys.revoked.add("key-a")
    assert client.code("GET", "v3/account") == -2015


def test_timestamp_from_the_future(client):
    now = int(client.clock.at.timestamp() * 1000)
    assert client.code("GET", "v3/account", timestamp=now + 1000) == -1021
    assert client.raw("GET", "v3/account", timestamp=now + 999).status == 200
    assert client.raw("GET", "v3/account", timestamp=now - 5000).status == 200
    assert client.code("GET", "v3/account", timestamp=now - 5001) == -1021
    assert client.raw("GET", "v3/account", timestamp=now - 5001, recvWindow=6000).status == 200


def test_weight_limit_then_bans_that_grow(make_client):
    client = make_client(Limits(weight_per_minute=20, tries_before_ban=2))
    for _ in range(4):
        assert client.raw("GET", "v3/account").status == 200
    refused = client.raw("GET", "v3/account")
    assert (refused.status, refused.headers) == (429, {"Retry-After": "60"})
    assert client.raw("GET", "v3/account").status == 429
    assert client.raw("GET", "v3/account").status == 418
    client.clock.go(90)
    assert client.raw("GET", "v3/account").status == 418
    client.clock.go(31)
    answer = client.raw("GET", "v3/account")
    assert (answer.status, answer.headers["X-MBX-USED-WEIGHT-1M"]) == (200, "5")
    for _ in range(5):
        client.raw("GET", "v3/account")
    client.raw("GET", "v3/account")
    assert client.raw("GET", "v3/account").headers == {"Retry-After": "240"}


def test_order_count_is_told_and_limited(make_client):
    client = make_client(Limits(orders_per_10s=2))
    wanted = LIMIT | {"quantity": 0.02, "price": round(client.price * 0.97, 1)}
    assert client.raw("POST", "v1/order", **wanted).headers["X-MBX-ORDER-COUNT-10S"] == "1"
    assert client.raw("POST", "v1/order", **wanted).headers["X-MBX-ORDER-COUNT-1M"] == "2"
    refused = client.raw("POST", "v1/order", **wanted)
    assert (refused.status, json.loads(refused.body)["code"]) == (429, -1015)
    client.clock.go(10)
    assert client.raw("POST", "v1/order", **wanted).status == 200


def test_listen_key_needs_only_the_key(client):
    made = json.loads(client.rest.reply("POST", "/fapi/v1/listenKey", "1", "key-a").body)
    assert client.desk.listen_keys.account(made["listenKey"]) == "alice"


def test_batch_reports_each_order(client):
    price = round(client.price * 0.97, 1)
    rows = [
        LIMIT | {"quantity": "0.02", "price": str(price)},
        LIMIT | {"quantity": "0", "price": "1"},
    ]
    made, refused = client("POST", "v1/batchOrders", batchOrders=json.dumps(rows))
    assert (made["status"], refused["code"]) == ("NEW", -4003)
    done = client(
        "DELETE", "v1/batchOrders", symbol="BTCUSDT", orderIdList=f"[{made['orderId']},7]"
    )
    assert (done[0]["status"], done[1]["code"]) == ("CANCELED", -2011)


def test_resting_order_fills_as_time_goes_by(client):
    made = client("POST", "v1/order", **LIMIT, quantity=0.01, price=round(client.price * 0.9995, 1))
    for _ in range(600):
        client.clock.go(10)
        found = client("GET", "v1/order", symbol="BTCUSDT", orderId=made["orderId"])
        if found["status"] == "FILLED":
            break
    assert found["status"] == "FILLED"
    assert client("GET", "v1/userTrades", symbol="BTCUSDT")[-1]["maker"] is True
