"""Real Freqtrade, `dry_run: false`, against the simulator; judged by the exchange's own books."""

import pytest

from tests.integration.simulator.live_bot import FREQTRADE, PAIR, SYMBOL

pytestmark = pytest.mark.skipif(not FREQTRADE.exists(), reason="freqtrade is not installed")


def same_fees(desk, trade):
    """The rates that the bot worked out from its fills are what the exchange took."""
    fills = desk.account.fills[SYMBOL]
    rates = {round(each.commission / each.notional, 6) for each in fills}
    assert {trade["fee_open"], trade["fee_close"]} == rates == {0.0005}


def test_long_and_short_from_entry_to_exit_with_a_stop_on_the_exchange(desk, start):
    bot = start()
    number = bot.enter("long", leverage=5)
    bot.until(lambda: desk.stops)
    assert desk.position.size > 0
    assert desk.position.is_isolated
    assert desk.position.leverage == 5
    assert bot.trade(number)["amount"] * 1000 == pytest.approx(desk.position.size)
    bot.exit(number)
    done = bot.until(lambda: bot.closed(number))
    bot.until(lambda: not desk.stops)
    assert desk.position.size == 0
    same_fees(desk, done)
    gained = desk.account.wallet / 1e8 - 10_000
    assert done["realized_profit"] == pytest.approx(gained, abs=1e-3)
    number = bot.enter("short", leverage=3)
    bot.until(lambda: desk.stops)
    assert desk.position.size < 0
    assert [each.request.side for each in desk.stops] == ["BUY"]
    bot.exit(number)
    bot.until(lambda: bot.closed(number))
    assert desk.position.size == 0
    assert "Traceback" not in bot.log


@pytest.mark.long
@pytest.mark.parametrize("mode", ["isolated", "cross"])
def test_stop_on_the_exchange_fires(desk, start, mode):
    bot = start(margin_mode=mode)
    number = bot.enter("long", leverage=5)
    bot.until(lambda: desk.stops)
    assert desk.position.margin_type == mode
    desk.fall(0.93)
    done = bot.until(lambda: bot.closed(number), 150)
    assert done["exit_reason"] == "stoploss_on_exchange"
    assert desk.position.size == 0
    assert "Traceback" not in bot.log


@pytest.mark.long
def test_liquidation_is_noticed(desk, start):
    bot = start(order_types={"stoploss_on_exchange": False}, stoploss=-0.99)
    number = bot.enter("long", leverage=20)
    bot.until(lambda: desk.position.size)
    assert bot.trade(number)["liquidation_price"] == pytest.approx(
        bot.trade(number)["open_rate"] * 0.955, rel=0.01
    )
    desk.fall(0.80)
    bot.until(lambda: desk.position.size == 0, 150)

    def is_known():  # who is first, the exchange or the bot, is a matter of moments
        liquidated = any(each.auto_close for each in list(desk.account.orders.values()))
        return liquidated or bot.closed(number)

    bot.until(is_known)


@pytest.mark.long
def test_unfilled_entry_times_out_and_leaves_nothing(desk, start):
    bot = start(unfilledtimeout={"entry": 6, "exit": 6, "unit": "seconds"})
    bot.enter("long", price=round(desk.price * 0.98, 1), ordertype="limit")
    bot.until(lambda: any(desk.account.open_orders.values()))
    bot.until(lambda: not any(desk.account.open_orders.values()), 60)
    assert desk.position.size == 0
    assert [each.status for each in desk.account.orders.values()] == ["CANCELED"]
    assert desk.position.bids == 0
    assert bot.until(lambda: bot.api.get("/status").json() == [])


@pytest.mark.long
def test_restart_in_the_middle_of_a_trade(desk, start):
    bot = start()
    number = bot.enter("long", leverage=5)
    bot.until(lambda: desk.stops)
    bot.until(lambda: bot.knows_stop(number))  # killed before, it would place a second one
    before = [each.algo_id for each in desk.stops]
    bot.kill()
    bot.start()
    assert bot.trade(number)["is_open"]
    bot.exit(number)
    bot.until(lambda: bot.closed(number))
    bot.until(lambda: not desk.stops)
    assert desk.position.size == 0
    assert desk.account.algo_orders[before[0]].status == "CANCELED"
    assert PAIR in bot.log


@pytest.mark.long
def test_stop_on_the_exchange_is_moved(desk, start):
    bot = start(trailing_stop=True, stoploss=-0.10)
    number = bot.enter("long", leverage=2)
    (first,) = bot.until(lambda: desk.stops)
    desk.fall(1.02)
    (moved,) = bot.until(lambda: [a for a in desk.stops if a.algo_id != first.algo_id], 150)
    assert first.status == "CANCELED"
    assert moved.request.trigger_price > first.request.trigger_price
    bot.exit(number)
    bot.until(lambda: bot.closed(number))
    assert desk.position.size == 0


@pytest.mark.long
def test_partly_filled_entry_is_cancelled_and_what_was_bought_is_kept(desk, start):
    waits = {"entry": 100, "exit": 100, "unit": "seconds"}
    bot = start(stake_amount=5000, unfilledtimeout=waits)
    desk.fall(0.99, volume=0.0005)
    number = bot.enter("long", price=round(desk.price * 0.995, 1), ordertype="limit", leverage=5)
    (order,) = bot.until(lambda: list(desk.account.orders.values()))
    bot.until(lambda: not order.is_open, 150)
    assert order.status == "CANCELED"
    assert 0 < order.filled < order.quantity
    assert desk.position.size == order.filled
    amount = bot.until(lambda: bot.trade(number)["amount"])
    assert amount * 1000 == pytest.approx(order.filled)
    bot.until(lambda: desk.stops)
    assert desk.stops[0].request.quantity == order.filled


@pytest.mark.long
def test_ten_pairs_at_once(desk, start):
    pairs = list(desk.market.pairs)
    assert len(pairs) == 10
    bot = start(exchange={"pair_whitelist": pairs}, max_open_trades=10)
    numbers = [
        bot.enter("short" if place % 3 == 0 else "long", pair=pair, leverage=3)
        for place, pair in enumerate(pairs)
    ]
    held = [p for p in desk.account.positions.values() if p.size]
    assert len(held) == 10
    bot.until(lambda: len(desk.stops) == 10)
    assert {each.request.symbol for each in desk.stops} == {each.symbol for each in held}
    for number in numbers:
        bot.exit(number)
    bot.until(lambda: all(bot.closed(number) for number in numbers), 120)
    bot.until(lambda: not desk.stops)
    assert not any(p.size for p in desk.account.positions.values())
    gained = sum(bot.trade(number)["realized_profit"] for number in numbers)
    assert gained == pytest.approx(desk.account.wallet / 1e8 - 10_000, abs=1e-2)
    assert "Traceback" not in bot.log


@pytest.mark.long
def test_unfilled_entry_is_replaced_at_another_price(desk, start):
    bot = start(timeframe="1m", adjusted_rate=round(desk.price * 1.002, 1))
    number = bot.enter("long", price=round(desk.price * 0.98, 1), ordertype="limit", leverage=2)
    (first,) = bot.until(lambda: list(desk.account.orders.values()))
    assert first.is_open
    bot.until(lambda: desk.position.size, 150)  # the strategy is asked with each new candle
    first, second = desk.account.orders.values()
    assert (first.status, first.filled) == ("CANCELED", 0)
    assert (second.status, second.filled) == ("FILLED", desk.position.size)
    bot.until(lambda: desk.stops)
    assert bot.trade(number)["amount"] * 1000 == pytest.approx(desk.position.size)
    bot.exit(number)
    bot.until(lambda: bot.closed(number))
    assert desk.position.size == 0
    assert "Traceback" not in bot.log
