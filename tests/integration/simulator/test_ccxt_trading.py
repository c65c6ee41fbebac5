"""ccxt's unmodified `binanceusdm` trades on the simulator; results are compared with the exchange's own state."""

import ccxt
import ccxt.async_support
import pytest

from automation.simulator import Simulator, Trading, account, ccxt_config, open_market, serving

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # ours is self-signed
PAIR, SYMBOL = "BTC/USDT:USDT", "BTCUSDT"
ACCOUNTS = (account("alice", "key-a", "secret-a", 10_000), account("bob", "key-b", "secret-b", 500))


def client(sim, key="key-a", secret="secret-a", module=ccxt):
    made = module.binanceusdm(ccxt_config(sim.tls_url) | {"apiKey": key, "secret": secret})
    made.options["warnOnFetchOpenOrdersWithoutSymbol"] = False
    return made


@pytest.fixture(scope="module")
def sim():
    with serving(open_market(11), tls_port=0, trading=Trading(ACCOUNTS)) as running:
        yield running


@pytest.fixture
def api(sim):
    made = client(sim)
    made.load_markets()
    yield made
    made.cancel_all_orders(PAIR)
    made.cancel_all_orders(PAIR, {"trigger": True})
    for row in made.fetch_positions([PAIR]):
        side = "sell" if row["side"] == "long" else "buy"
        made.create_order(PAIR, "market", side, row["contracts"], None, {"reduceOnly": True})
    made.close()


def last(api):
    return api.fetch_ticker(PAIR)["last"]


def alice(sim):
    return sim.desk.exchange.accounts["alice"]


def test_balance_is_the_wallet(sim, api):
    total = api.fetch_balance()["USDT"]
    assert total["total"] == pytest.approx(alice(sim).wallet / 1e8, abs=1e-7)
    assert api.fetch_balance({"useV2": True})["USDT"]["free"] == total["free"]


def test_market_order_position_and_trades(sim, api):
    order = api.create_order(PAIR, "market", "buy", 0.02, None, {"newOrderRespType": "RESULT"})
    assert (order["status"], order["filled"]) == ("closed", 0.02)
    (row,) = api.fetch_positions([PAIR])
    assert (row["side"], row["contracts"]) == ("long", 0.02)
    assert row["entryPrice"] == pytest.approx(order["average"], rel=1e-6)
    trades = api.fetch_my_trades(PAIR, params={"orderId": order["id"]})
    assert sum(each["amount"] for each in trades) == pytest.approx(0.02)
    paid = sum(each["fee"]["cost"] for each in trades)
    assert paid == pytest.approx(sum(each["cost"] for each in trades) * 0.0005, abs=1e-6)
    assert api.fetch_order(order["id"], PAIR)["average"] == order["average"]
    assert {each["status"] for each in api.fetch_orders(PAIR)} >= {"closed"}
    incomes = api.fapiPrivateGetIncome({"incomeType": "COMMISSION"})
    assert sum(float(each["income"]) for each in incomes[-len(trades) :]) == pytest.approx(-paid)


def test_limit_order_is_edited_and_cancelled(sim, api):
    price = last(api)
    order = api.create_order(PAIR, "limit", "buy", 0.02, round(price * 0.97, 1))
    assert [each["id"] for each in api.fetch_open_orders(PAIR)] == [order["id"]]
    assert api.fetch_balance()["USDT"]["used"] > 0
    edited = api.edit_order(order["id"], PAIR, "limit", "buy", 0.03, round(price * 0.96, 1))
    assert (edited["amount"], edited["price"]) == (0.03, round(price * 0.96, 1))
    cancelled = api.cancel_order(order["id"], PAIR)
    assert cancelled["status"] == "canceled"
    assert api.fetch_open_orders() == []
    assert alice(sim).position(SYMBOL).bids == 0


def test_stop_on_exchange(api):
    api.create_order(PAIR, "market", "buy", 0.02)
    trigger = round(last(api) * 0.98, 1)
    stop = api.create_order(
        PAIR, "STOP_MARKET", "sell", 0.02, None, {"stopPrice": trigger, "reduceOnly": True}
    )
    found = api.fetch_order(stop["id"], PAIR, {"trigger": True})
    assert (found["status"], found["triggerPrice"]) == ("open", trigger)
    assert [o["id"] for o in api.fetch_open_orders(PAIR, params={"trigger": True})] == [stop["id"]]
    assert api.cancel_order(stop["id"], PAIR, {"trigger": True})["status"] == "canceled"


def test_settings(sim, api):
    assert str(api.set_leverage(7, PAIR)["leverage"]) == "7"
    api.set_margin_mode("isolated", PAIR)
    assert api.fetch_leverages([PAIR])[PAIR]["longLeverage"] == 7
    api.create_order(PAIR, "market", "sell", 0.02)
    (row,) = api.fetch_positions([PAIR])
    assert (row["side"], row["marginMode"], row["leverage"]) == ("short", "isolated", 7)
    assert row["liquidationPrice"] > row["markPrice"]
    before = alice(sim).position(SYMBOL).isolated_wallet
    api.add_margin(PAIR, 10)
    assert alice(sim).position(SYMBOL).isolated_wallet == before + 10 * 10**8
    assert api.fetch_margin_adjustment_history(PAIR)[-1]["amount"] == 10
    api.create_order(PAIR, "market", "buy", 0.02, None, {"reduceOnly": True})
    api.set_margin_mode("cross", PAIR)
    tiers = api.fetch_leverage_tiers([PAIR])[PAIR]
    assert tiers[0]["maxLeverage"] == 150
    assert api.fetch_trading_fee(PAIR)["taker"] == 0.0005
    assert api.fetch_position_mode(PAIR)["hedged"] is False


def test_batch(api):
    price = round(last(api) * 0.97, 1)
    wanted = [
        {"symbol": PAIR, "type": "limit", "side": "buy", "amount": 0.01, "price": price},
        {"symbol": PAIR, "type": "limit", "side": "buy", "amount": 0.01, "price": price - 10},
    ]
    made = api.create_orders(wanted)
    assert len(made) == 2 == len(api.fetch_open_orders(PAIR))
    done = api.cancel_orders([each["id"] for each in made], PAIR)
    assert {each["status"] for each in done} == {"canceled"}


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (ccxt.InsufficientFunds, lambda a, p: a.create_order(PAIR, "limit", "buy", 30, p(0.99))),
        (ccxt.InvalidOrder, lambda a, p: a.create_order(PAIR, "limit", "buy", 0.001, p(0.99))),
        (
            ccxt.InvalidOrder,
            lambda a, _: a.create_order(PAIR, "market", "sell", 0.01, None, {"reduceOnly": True}),
        ),
        (
            ccxt.OrderImmediatelyFillable,
            lambda a, p: a.create_order(
                PAIR, "STOP_MARKET", "sell", 0.01, None, {"stopPrice": p(1.02)}
            ),
        ),
        (
            ccxt.OrderNotFillable,
            lambda a, p: a.create_order(
                PAIR, "limit", "buy", 0.01, p(1.01), {"timeInForce": "GTX"}
            ),
        ),
        (ccxt.OrderNotFound, lambda a, _: a.fetch_order("1", PAIR)),
        (ccxt.OrderNotFound, lambda a, _: a.cancel_order("1", PAIR)),
        (ccxt.BadRequest, lambda a, _: a.set_position_mode(True)),
        (ccxt.BadRequest, lambda a, _: a.set_leverage(125, "SOL/USDT:USDT")),
        (ccxt.InvalidNonce, lambda a, _: a.fapiPrivateV3GetAccount({"timestamp": 1})),
        (ccxt.BadRequest, lambda a, _: a.fapiPrivateGetOrder({"symbol": SYMBOL})),
        (ccxt.BadSymbol, lambda a, _: a.fapiPrivateGetOrder({"symbol": "NOUSDT", "orderId": 1})),
    ],
)
def test_error_classes_are_ccxt_s_own(api, error, call):
    price = last(api)
    with pytest.raises(error) as raised:
        call(api, lambda factor: round(price * factor, 1))
    assert type(raised.value) is error


def test_wrong_keys(sim):
    wrong = client(sim, secret="other")
    with pytest.raises(ccxt.AuthenticationError, match="-1022"):
        wrong.fetch_balance()
    unknown = client(sim, key="none")
    with pytest.raises(ccxt.AuthenticationError, match="-2015"):
        unknown.fetch_balance()


def test_accounts_are_apart(sim, api):
    api.create_order(PAIR, "limit", "buy", 0.02, round(last(api) * 0.97, 1))
    bob = client(sim, "key-b", "secret-b")
    assert bob.fetch_balance()["USDT"]["total"] == 500
    assert bob.fetch_open_orders(PAIR) == []
    assert bob.fetch_positions() == []


async def test_async_client():
    market = open_market(11)
    async with Simulator(market, tls_port=0, trading=Trading(ACCOUNTS)) as running:
        api = client(running, module=ccxt.async_support)
        try:
            await api.load_markets()
            order = await api.create_order(PAIR, "market", "buy", 0.01)
            assert (await api.fetch_order(order["id"], PAIR))["status"] == "closed"
            (row,) = await api.fetch_positions([PAIR])
            assert row["contracts"] == 0.01
            funding = await api.fetch_funding_history(PAIR)
            assert funding == []
        finally:
            await api.close()
