"""Real Freqtrade is killed in the middle of each state of an order, and comes back.

Judged by the exchange's own books: nothing is ordered twice, nothing is left behind. And the other
way round: the simulator is the one that begins anew.
"""

import time
from urllib.parse import urlsplit

import pytest

from tests.integration.simulator.live_bot import FREQTRADE, Bot, Desk, simulator

pytestmark = [
    pytest.mark.prove,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not FREQTRADE.exists(), reason="freqtrade is not installed"),
]
LIMIT = {"ordertype": "limit", "leverage": 5}


def leaves_nothing(bot, desk, number):
    """Exit what is held; nothing is left at the exchange, and the bot says the same of it."""
    bot.until(lambda: desk.stops)
    assert desk.stops[0].request.quantity == abs(desk.position.size)
    bot.exit(number, ordertype="market")
    bot.until(lambda: bot.closed(number))
    bot.until(lambda: not desk.stops)
    assert desk.position.size == 0
    assert not any(desk.account.open_orders.values())


def test_while_an_entry_waits(desk, start):
    bot = start(unfilledtimeout={"entry": 40, "exit": 40, "unit": "seconds"})
    bot.enter("long", price=round(desk.price * 0.98, 1), **LIMIT)
    (order,) = bot.until(lambda: list(desk.account.orders.values()))
    bot.kill()
    bot.start()
    bot.until(lambda: not order.is_open, 90)
    assert order.status == "CANCELED"
    assert len(desk.account.orders) == 1
    assert bot.until(lambda: bot.api.get("/status").json() == [])


def test_while_an_entry_is_filled_unwatched(desk, start):
    bot = start()
    number = bot.enter("long", price=round(desk.price * 0.9985, 1), **LIMIT)
    (order,) = bot.until(lambda: list(desk.account.orders.values()))
    bot.kill()
    desk.fall(0.996)
    bot.until(lambda: order.status == "FILLED", 150)
    bot.start()
    bot.until(lambda: bot.trade(number)["amount"] * 1000 == pytest.approx(order.filled))
    leaves_nothing(bot, desk, number)


def test_while_an_entry_is_partly_filled(desk, start):
    bot = start(stake_amount=1000, unfilledtimeout={"entry": 150, "exit": 150, "unit": "seconds"})
    desk.fall(0.997, volume=0.0005)
    number = bot.enter("long", price=round(desk.price * 0.9985, 1), **LIMIT)
    (order,) = bot.until(lambda: list(desk.account.orders.values()))
    bot.until(lambda: 0 < order.filled < order.quantity, 120)
    bot.kill()
    bot.start()
    bot.until(lambda: not order.is_open, 200)
    assert order.filled == desk.position.size
    bot.until(lambda: bot.trade(number)["amount"] * 1000 == pytest.approx(order.filled))
    leaves_nothing(bot, desk, number)


def test_while_an_exit_waits(desk, start):
    bot = start(unfilledtimeout={"entry": 40, "exit": 40, "unit": "seconds"})
    number = bot.enter("long", leverage=5)
    bot.until(lambda: bot.knows_stop(number))
    bot.exit(number, ordertype="limit", price=round(desk.price * 1.02, 1))
    (waiting,) = bot.until(
        lambda: [o for o in desk.account.orders.values() if o.side == "SELL" and o.is_open]
    )
    bot.kill()
    bot.start()
    bot.until(lambda: not waiting.is_open, 90)
    assert (waiting.status, waiting.filled) == ("CANCELED", 0)
    assert bot.trade(number)["is_open"]
    leaves_nothing(bot, desk, number)


def test_while_the_stop_fires_unwatched(desk, start):
    bot = start()
    number = bot.enter("long", leverage=5)
    bot.until(lambda: bot.knows_stop(number))
    bot.kill()
    desk.fall(0.93)
    bot.until(lambda: desk.position.size == 0, 150)
    bot.start()
    done = bot.until(lambda: bot.closed(number))
    assert done["exit_reason"] == "stoploss_on_exchange"
    assert not desk.stops
    assert "Traceback" not in bot.log


def test_while_the_position_is_liquidated_unwatched(desk, start):
    bot = start(order_types={"stoploss_on_exchange": False}, stoploss=-0.99)
    number = bot.enter("long", leverage=20)
    bot.until(lambda: bot.trade(number)["amount"])
    bot.kill()
    desk.fall(0.80)
    bot.until(lambda: desk.position.size == 0, 150)
    bot.start()
    bot.until(lambda: bot.closed(number), 120)
    assert [each.auto_close for each in desk.account.orders.values()].count("LIQUIDATION") == 1


def test_while_the_simulator_begins_anew(tmp_path):
    """The bot keeps the numbers of its orders in a column that takes none twice, or dies."""
    market, serving = simulator()
    with serving as sim:
        bot = Bot(tmp_path, sim.tls_url)
        bot.start()
        number = bot.enter("long", leverage=5)
        bot.until(lambda: bot.knows_stop(number))
        (before,) = Desk(sim, market).stops
        port = urlsplit(sim.tls_url).port
    market, serving = simulator(tls_port=port)
    try:
        with serving as sim:
            desk = Desk(sim, market)
            (after,) = bot.until(lambda: desk.stops, 120)
            assert after.algo_id != before.algo_id
            time.sleep(3)  # it would have died of writing it down
            assert bot.process.poll() is None
            assert bot.api.get("/show_config").json()["state"] == "running"
            assert "Traceback" not in bot.log
    finally:
        bot.stop()
        bot.api.close()
