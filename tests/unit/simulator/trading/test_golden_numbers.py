"""Binance's own examples, to the digits that its pages print.

Liquidation: "How to Calculate Liquidation Price of USDⓈ-M Futures Contracts"
(binance.com/en/support/faq/b3c689c1f50a44cabb3a84e663b81d93): two long positions in one wallet.
Cost: "How to Calculate Cost Required to Open a Position in Perpetual Futures Contracts"
(binance.com/en/support/faq/87fa7ee33b574f7084d42bd2ce2e463b): 1 BTC at 9,253.30, leverage 20.
Maintenance amount: the rule of the first page, on the ladders of leverageBracket.
Funding: notional times rate, "Introduction to Binance Futures Funding Rates".
"""

from itertools import pairwise

import pytest

from automation.simulator.trading.accounts import Account, AccountSpec, Position
from automation.simulator.trading.brackets import Bracket, Ladder, ladder_of
from automation.simulator.trading.margin import (
    cross_slack,
    liquidation_price,
    maintenance,
    unrealized,
)
from automation.simulator.trading.rejected import Rejected
from automation.simulator.trading.sights import Settlement
from automation.simulator.trading.units import ONE, Contract
from tests.unit.simulator.trading.table import Table

MARKS = {"ETHUSDT": 133_518 * 10**6, "BTCUSDT": 3_196_727 * 10**6}


def contract(symbol: str, rate: int, cum: int) -> Contract:
    rung = Bracket(1, 0, 10**12 * ONE, rate, 20, cum * ONE)
    return Contract(symbol, symbol[:3], "USDT", 2, 2, 3, 0, 1, 10**9, 10**9, 10**9, Ladder((rung,)))


CONTRACTS = {
    "ETHUSDT": contract("ETHUSDT", 100_000, 135_365),
    "BTCUSDT": contract("BTCUSDT", 25_000, 16_300),
}
ENTRIES = {"ETHUSDT": (3_683_979, 145_684), "BTCUSDT": (109_488, 3_248_198)}


def holder(margin_type: str) -> Account:
    account = Account(AccountSpec("a", "k", "s"), wallet=153_544_301 * 10**6)
    for symbol, (size, entry) in ENTRIES.items():
        cost = CONTRACTS[symbol].notional(entry, size)
        position = Position(symbol, 20, margin_type, size, cost)
        if margin_type == "isolated":
            position.isolated_wallet = account.wallet
        account.positions[symbol] = account.active[symbol] = position
    return account


@pytest.mark.parametrize(
    ("margin_type", "symbol", "price"),
    [
        ("cross", "ETHUSDT", 1153.26),
        ("cross", "BTCUSDT", 26_316.89),
        ("isolated", "ETHUSDT", 1114.78),
        ("isolated", "BTCUSDT", 18_778.73),
    ],
)
def test_liquidation_price(margin_type, symbol, price):
    account = holder(margin_type)
    found = liquidation_price(account, account.positions[symbol], CONTRACTS, MARKS.__getitem__)
    assert found / ONE == pytest.approx(price, abs=0.01)


@pytest.mark.parametrize(
    ("symbol", "needed", "profit"),
    [("BTCUSDT", 71_200.81144, -56_354.57), ("ETHUSDT", 356_512.508, -448_192.89)],
)
def test_maintenance_margin_and_profit(symbol, needed, profit):
    position, one = holder("cross").positions[symbol], CONTRACTS[symbol]
    assert maintenance(position, one, MARKS[symbol]) / ONE == pytest.approx(needed, abs=0.01)
    assert unrealized(position, one, MARKS[symbol]) / ONE == pytest.approx(profit, abs=0.01)


def test_account_is_lost_exactly_below_its_liquidation_price():
    account = holder("cross")
    position = account.positions["BTCUSDT"]
    price = liquidation_price(account, position, CONTRACTS, MARKS.__getitem__)
    for mark, lost in ((price + 2 * 10**4, False), (price - 2 * 10**4, True)):
        marks = MARKS | {"BTCUSDT": mark}
        balance, needed = cross_slack(account, CONTRACTS, marks.__getitem__)
        assert (balance <= needed) is lost


@pytest.mark.parametrize(("side", "cost"), [("BUY", 462.665), ("SELL", 469.205)])
def test_cost_of_opening_a_position(side, cost):
    needed = round(cost * ONE)
    for wallet, accepted in ((needed, True), (needed - 1, False)):
        table = Table(alice=0)
        table.market.price["BTCUSDT"] = 92_598 if side == "SELL" else 92_700
        table.market.marks["BTCUSDT"] = 925_984 * 10**6
        table.market.spread = 50
        table.exchange.deposit("alice", wallet, table.now_ms)
        if accepted:
            assert table.order("alice", side, 1000, 92_533).quantity == 1000
        else:
            with pytest.raises(Rejected, match="-2019|Margin is insufficient"):
                table.order("alice", side, 1000, 92_533)


@pytest.mark.parametrize(
    ("symbol", "last_cum"),
    [("BTCUSDT", 421_482_000), ("ETHUSDT", 280_507_000), ("XRPUSDT", 16_683_735)],
)
def test_maintenance_amounts_follow_from_the_rates(symbol, last_cum):
    brackets = ladder_of(symbol).brackets
    assert brackets[-1].cum == last_cum * ONE
    for low, high in pairwise(brackets):
        assert low.cap * low.rate - low.cum * 10**6 == low.cap * high.rate - high.cum * 10**6


def test_funding_is_notional_times_rate():
    table = Table(alice=100_000)
    table.order("alice", "BUY", 1000)
    before = table.exchange.accounts["alice"].wallet
    due = table.now_ms // 1000 * 1000 + 1000
    table.market.fundings.append(Settlement("BTCUSDT", due, 10_000, 30_000 * ONE))
    table.wait(2000)
    assert before - table.exchange.accounts["alice"].wallet == 3 * ONE  # 30,000 × 0.01 %
