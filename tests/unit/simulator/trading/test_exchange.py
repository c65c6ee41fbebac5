"""Orders meet the market and each other; money moves and never vanishes."""

import pytest

from automation.simulator.trading.events import (
    AccountUpdate,
    FundingPaid,
    Liquidation,
    MarginCall,
    OrderUpdate,
)
from automation.simulator.trading.log import line
from automation.simulator.trading.rejected import Rejected
from automation.simulator.trading.replay import replay
from automation.simulator.trading.sights import Settlement
from automation.simulator.trading.units import ONE
from tests.unit.simulator.trading.table import START_MS

BTC = 300_000  # ticks of 0.1: 30,000


def code(call, *arguments, **more) -> int:
    with pytest.raises(Rejected) as refused:
        call(*arguments, **more)
    return refused.value.code


def test_market_order_pays_the_ask_and_the_taker_fee(table):
    order = table.order("alice", "BUY", 100)
    assert (order.status, order.filled) == ("FILLED", 100)
    alice = table.exchange.accounts["alice"]
    cost = 100 * (BTC + 1) * 10**4
    fee = -(-cost * 50_000 // ONE)
    assert alice.wallet == 10_000 * ONE - fee
    assert table.position("alice").cost == cost
    table.check_money()


def test_one_that_was_started_later_gives_no_number_again(make_table):
    """A bot that lives on keeps the numbers of its orders, and dies of one that comes twice."""
    given = []
    for start_ms in (START_MS, START_MS + 1000):
        table = make_table(start_ms=start_ms)
        orders = [table.order("alice", "BUY", 1) for _ in range(200)]
        stop = table.stop("alice", "SELL", 100, BTC - 300, reduce_only=True)
        trades = [fill.trade_id for fill in table.exchange.accounts["alice"].fills["BTCUSDT"]]
        given.append({*(order.order_id for order in orders), stop.algo_id, *trades})
    assert not given[0] & given[1]
    assert max(given[1]) < 1 << 53


def test_limit_order_rests_until_trades_reach_it_and_pays_as_maker(table):
    order = table.order("alice", "BUY", 100, BTC - 500)
    table.go(BTC - 499)
    assert order.status == "NEW"
    table.go(BTC - 500)
    assert order.status == "FILLED"
    fill = table.exchange.accounts["alice"].fills["BTCUSDT"][0]
    assert fill.is_maker
    assert fill.price == BTC - 500
    assert fill.commission == fill.notional * 20_000 // ONE


def test_volume_bounds_the_fill(table):
    order = table.order("alice", "BUY", 100, BTC - 500)
    table.go(BTC - 600, volume=30)
    assert (order.status, order.filled) == ("PARTIALLY_FILLED", 30)
    table.exchange.cancel("alice", "BTCUSDT", table.now_ms, order_id=order.order_id)
    assert (order.status, order.filled) == ("CANCELED", 30)
    assert table.position("alice").bids == 0
    assert table.position("alice").size == 30


def test_earlier_orders_of_a_price_go_first_and_better_prices_before_them(table):
    late = table.order("bob", "BUY", 10, BTC - 500)
    later = table.order("alice", "BUY", 10, BTC - 500)
    best = table.order("alice", "BUY", 10, BTC - 400)
    table.go(BTC - 500, volume=15)
    assert [best.filled, late.filled, later.filled] == [10, 5, 0]


def test_accounts_trade_with_each_other_at_the_resting_price(table):
    table.market.spread = 100
    resting = table.order("bob", "SELL", 40, BTC + 50)
    taker = table.order("alice", "BUY", 60, BTC + 60)
    assert resting.status == "FILLED"
    assert (taker.status, taker.filled) == ("PARTIALLY_FILLED", 40)
    assert table.position("alice").size == 40 == -table.position("bob").size
    table.check_money()


def test_own_orders_do_not_trade_with_each_other(table):
    table.market.spread = 100
    resting = table.order("alice", "SELL", 40, BTC + 50)
    table.order("alice", "BUY", 40, BTC + 50)
    assert resting.status == "EXPIRED_IN_MATCH"
    assert table.position("alice").size == 0


def test_times_in_force(table):
    assert code(table.order, "alice", "BUY", 10, BTC + 1, time_in_force="GTX") == -5022
    table.market.size = 1
    assert code(table.order, "alice", "BUY", 300, BTC + 1, time_in_force="FOK") == -5021
    ioc = table.order("alice", "BUY", 300, BTC + 1, time_in_force="IOC")
    assert (ioc.status, ioc.filled) == ("EXPIRED", 1)
    again = table.order("alice", "BUY", 300, BTC + 1, time_in_force="IOC")
    assert again.filled == 0  # what was taken is gone for this second


def test_reduce_only(table):
    assert code(table.order, "alice", "SELL", 10, reduce_only=True) == -2022
    table.order("alice", "BUY", 10)
    assert code(table.order, "alice", "BUY", 10, reduce_only=True) == -2022
    order = table.order("alice", "SELL", 25, reduce_only=True)
    assert (order.filled, order.status) == (10, "EXPIRED")
    assert table.position("alice").size == 0


def test_refusals_have_the_exchange_s_codes(table):
    assert code(table.order, "alice", "BUY", 0, BTC) == -4003
    assert code(table.order, "alice", "BUY", 10**10, BTC) == -4005
    assert code(table.order, "alice", "BUY", 1, 10) == -4164
    assert code(table.order, "alice", "BUY", 10, BTC * 2) == -4016
    assert code(table.order, "alice", "SELL", 10, BTC // 2) == -4024
    assert code(table.order, "alice", "BUY", 10**7, BTC) == -2027
    assert code(table.order, "alice", "BUY", 10_000, BTC) == -2019
    assert code(table.order, "alice", "BUY", 10, symbol="NOUSDT") == -1121
    assert code(table.exchange.cancel, "alice", "BTCUSDT", table.now_ms, order_id=5) == -2011
    assert code(table.stop, "alice", "SELL", 10, BTC + 10) == -2021
    table.exchange.set_margin_type("alice", "BTCUSDT", "isolated", table.now_ms)
    again = table.exchange.set_margin_type
    assert code(again, "alice", "BTCUSDT", "isolated", table.now_ms) == -4046
    assert code(table.exchange.set_leverage, "alice", "BTCUSDT", 126, table.now_ms) == -4028
    table.check_money()


def test_stop_fires_at_its_price_and_tells_every_step(table):
    table.order("alice", "BUY", 100)
    algo = table.stop("alice", "SELL", 100, BTC - 300, reduce_only=True)
    table.go(BTC - 299)
    assert algo.status == "NEW"
    table.go(BTC - 301)
    assert (algo.status, algo.order.status) == ("FINISHED", "FILLED")
    assert table.position("alice").size == 0
    steps = [e.status for e in table.events if type(e).__name__ == "AlgoUpdate"]
    assert steps == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]


def test_mark_price_stop_ignores_traded_prices(table):
    table.order("alice", "BUY", 100)
    algo = table.stop(
        "alice", "SELL", 100, BTC - 300, working_type="MARK_PRICE", close_position=True
    )
    table.market.marks["BTCUSDT"] = BTC * 10**7
    table.go(BTC - 900)
    assert algo.status == "NEW"
    table.market.marks["BTCUSDT"] = (BTC - 300) * 10**7
    table.wait(1000)
    assert algo.status == "FINISHED"
    assert table.position("alice").size == 0


def test_amendment_loses_the_place_only_where_it_must(table):
    first = table.order("alice", "BUY", 30, BTC - 500)
    second = table.order("bob", "BUY", 30, BTC - 500)
    table.exchange.amend("alice", "BTCUSDT", BTC - 500, 20, table.now_ms, order_id=first.order_id)
    table.go(BTC - 500, volume=25)
    assert (first.filled, second.filled) == (20, 5)
    third = table.order("alice", "BUY", 30, BTC - 500 - 10)
    table.exchange.amend("alice", "BTCUSDT", BTC - 500, 30, table.now_ms, order_id=third.order_id)
    table.go(BTC - 500, volume=25)
    assert (second.filled, third.filled) == (30, 0)


def test_isolated_margin_is_moved_in_and_out(table):
    table.exchange.set_margin_type("alice", "BTCUSDT", "isolated", table.now_ms)
    table.exchange.set_leverage("alice", "BTCUSDT", 10, table.now_ms)
    table.order("alice", "BUY", 100)
    position = table.position("alice")
    assert position.isolated_wallet == -(-position.cost // 10)
    table.exchange.change_margin("alice", "BTCUSDT", 50 * ONE, 1, table.now_ms)
    assert position.isolated_wallet == -(-position.cost // 10) + 50 * ONE
    table.order("alice", "SELL", 50, reduce_only=True)
    assert (
        position.isolated_wallet
        == (-(-2 * position.cost // 10) + 50 * ONE) - (-(-2 * position.cost // 10) + 50 * ONE) // 2
    )
    table.order("alice", "SELL", 50, reduce_only=True)
    assert position.isolated_wallet == 0
    table.check_money()


def test_isolated_position_is_called_then_liquidated_and_only_its_margin_is_lost(table):
    table.exchange.set_margin_type("alice", "BTCUSDT", "isolated", table.now_ms)
    table.order("alice", "BUY", 100)
    iw = table.position("alice").isolated_wallet
    before = table.exchange.accounts["alice"].wallet
    table.go(BTC * 9545 // 10_000)
    assert [type(e) for e in table.events if isinstance(e, MarginCall | Liquidation)] == [
        MarginCall
    ]
    table.go(BTC * 9530 // 10_000)
    assert table.position("alice").size == 0
    assert sum(isinstance(e, Liquidation) for e in table.events) == 1
    alice = table.exchange.accounts["alice"]
    assert before - iw <= alice.wallet < before
    table.check_money()


def test_gap_beyond_the_margin_is_the_insurance_fund_s(table):
    table.exchange.set_margin_type("alice", "BTCUSDT", "isolated", table.now_ms)
    table.order("alice", "BUY", 100)
    alice, iw = table.exchange.accounts["alice"], table.position("alice").isolated_wallet
    before = alice.wallet
    table.go(BTC // 2)
    assert alice.wallet == before - iw
    assert table.position("alice").isolated_wallet == alice.isolated_total == 0
    assert table.exchange.floor.funds.insurance < 1_000_000 * ONE
    table.check_money()


def test_cross_account_falls_as_a_whole(table):
    table.order("alice", "BUY", 3000)
    table.order("alice", "BUY", 10_000, symbol="ETHUSDT")
    table.order("alice", "BUY", 10, 19_000, symbol="ETHUSDT")
    table.go(BTC * 90 // 100)
    table.go(15_000, "ETHUSDT")
    alice = table.exchange.accounts["alice"]
    assert not alice.active
    assert alice.wallet >= 0
    assert not any(alice.open_orders.values())
    table.check_money()


def test_funding_is_paid_once_by_who_holds_at_the_instant(table):
    table.order("alice", "BUY", 100)
    table.order("bob", "SELL", 100)
    due = (table.now_ms // 1000 + 5) * 1000
    table.market.fundings.append(Settlement("BTCUSDT", due, 10_000, BTC * 10**7))
    before = {n: a.wallet for n, a in table.exchange.accounts.items()}
    for _ in range(100):
        table.wait(100)
    paid = [e for e in table.events if isinstance(e, FundingPaid)]
    assert [(e.account, e.at_ms, e.amount) for e in paid] == [
        ("alice", due, -3000 * 10_000),
        ("bob", due, 3000 * 10_000),
    ]
    for name, account in table.exchange.accounts.items():
        assert account.wallet - before[name] == {"alice": -1, "bob": 1}[name] * 3000 * 10_000
    table.check_money()


def test_countdown_cancels_everything_when_it_runs_out(table):
    order = table.order("alice", "BUY", 100, BTC - 500)
    table.exchange.countdown("alice", "BTCUSDT", 1500, table.now_ms)
    table.wait(1400)
    table.exchange.countdown("alice", "BTCUSDT", 1500, table.now_ms)
    table.wait(1400)
    assert order.is_open
    table.wait(200)
    assert order.status == "CANCELED"


def scenario(table, step_ms: int) -> bytes:
    """Trade for twenty seconds; `step_ms` is how often time is carried forward in between."""
    begin = table.now_ms
    for k in range(1, 21):
        table.market.go("BTCUSDT", (begin // 1000 + k) * 1000, BTC + (-1) ** k * 40 * k)
    table.exchange.set_margin_type("bob", "BTCUSDT", "isolated", begin)
    plan = {
        300: ("alice", "BUY", 50, BTC - 200),
        5_700: ("bob", "SELL", 70, 0),
        9_100: ("bob", "BUY", 500, 0),
    }
    for at in range(0, 20_001, step_ms):
        table.wait(0 if at == 0 else step_ms)
        if at in plan:
            account, side, quantity, price = plan[at]
            table.order(account, side, quantity, price)
    return table.log.content


def test_log_does_not_depend_on_how_often_time_is_carried_forward(make_table):
    fine, coarse = scenario(make_table(), 10), scenario(make_table(), 100)
    assert fine == coarse
    assert b'"OrderUpdate"' in fine


def test_log_replays_to_the_same_state(table):
    scenario(table, 100)
    again = replay(table.log.lines, table.contracts, table.specs)
    assert again.accounts == table.exchange.accounts
    assert again.floor.funds == table.exchange.floor.funds


def test_changed_log_does_not_replay(table):
    scenario(table, 100)
    lines = list(table.log.lines)
    place = next(i for i, each in enumerate(lines) if each.startswith(b'["q"'))
    lines[place] = line(["q", 1, "BTCUSDT", 1, 1, 1, 1])
    with pytest.raises(Exception, match="does not replay"):
        replay(lines, table.contracts, table.specs)


def test_events_are_numbered_without_holes(table):
    scenario(table, 100)
    numbers = [event.seq for event in table.events]
    assert numbers == list(range(1, len(numbers) + 1))
    assert any(isinstance(event, AccountUpdate) for event in table.events)
    assert all(e.commission >= 0 for e in table.events if isinstance(e, OrderUpdate))


def test_isolated_fill_needs_its_margin_when_it_comes(table):
    table.exchange.set_margin_type("alice", "ETHUSDT", "isolated", table.now_ms)
    order = table.order("alice", "BUY", 50_000, 19_900, symbol="ETHUSDT")
    table.order("alice", "BUY", 3_000)
    table.go(BTC * 935 // 1000)
    table.order("alice", "SELL", 3_000, reduce_only=True)
    assert table.exchange.accounts["alice"].cross_wallet < 50_000 * 19_900 * 10**4 // 20
    table.go(19_900, "ETHUSDT")
    assert (order.status, order.filled) == ("EXPIRED", 0)
    table.check_money()


def test_trades_before_an_order_do_not_fill_it(table):
    table.market.go("BTCUSDT", (table.now_ms // 1000 + 1) * 1000, BTC - 900)
    table.wait(500)
    order = table.order("alice", "BUY", 10, BTC - 800)
    table.wait(500)
    assert order.status == "NEW"


def test_amended_order_needs_only_what_it_adds(table):
    order = table.order("alice", "BUY", 6_000, BTC - 500)
    table.exchange.amend(
        "alice", "BTCUSDT", BTC - 600, 6_000, table.now_ms, order_id=order.order_id
    )
    assert order.price == BTC - 600
    assert (
        code(
            table.exchange.amend,
            "alice",
            "BTCUSDT",
            BTC - 600,
            9_000,
            table.now_ms,
            order_id=order.order_id,
        )
        == -2019
    )
    assert order.quantity == 6_000


def test_funding_beyond_the_margin_comes_from_the_free_wallet(table):
    table.exchange.set_margin_type("alice", "BTCUSDT", "isolated", table.now_ms)
    table.order("alice", "BUY", 100)
    alice = table.exchange.accounts["alice"]
    before, due = alice.wallet, (table.now_ms // 1000 + 1) * 1000
    table.market.fundings.append(Settlement("BTCUSDT", due, 10_000_000, BTC * 10**7))
    table.wait(due - table.now_ms)
    assert alice.wallet == before - 300 * ONE
    assert table.position("alice").isolated_wallet == 0
    table.check_money()


def test_reduce_only_orders_end_when_one_fill_turns_the_position(table):
    table.order("alice", "SELL", 10)
    order = table.order("alice", "BUY", 10, BTC - 500, reduce_only=True)
    table.order("alice", "BUY", 25)
    assert table.position("alice").size == 15
    assert order.status == "EXPIRED"


def test_reduce_only_orders_end_with_the_position(table):
    table.order("alice", "BUY", 10)
    order = table.order("alice", "SELL", 10, BTC + 500, reduce_only=True)
    table.order("alice", "SELL", 10, reduce_only=True)
    assert order.status == "EXPIRED"
    assert table.position("alice").reducing == 0
