import pytest

from automation.fleet.chronicle import Chronicle
from automation.fleet.orders import Orders, has_stop
from automation.journal import Journal

PLACED_S = 1_700_000_000.0


def order(side="buy", name="1", *, is_open=True):
    placed_ms = int(PLACED_S * 1000)
    return {"order_id": name, "ft_order_side": side, "is_open": is_open,
            "order_timestamp": placed_ms}  # fmt: skip


def trade(*orders, number=1, stop=90.0, is_short=False):
    return {
        "trade_id": number, "pair": "BTC/USDT:USDT", "amount": 1.0, "is_short": is_short,
        "stop_loss_abs": stop, "orders": list(orders),
    }  # fmt: skip


@pytest.fixture
def journal():
    with Journal.in_memory() as journal:
        yield journal


@pytest.fixture
def orders(journal):
    return Orders("m", Chronicle(journal), 60.0, 900.0)


def told(journal):
    journal.append("test.flush", actor="test", source="test")
    found = journal.search(kind=("bot.stop_missing", "bot.stop_placed", "order.*"))
    return [event.kind for event in found]


def look(orders, at_s, *trades, on_exchange=True):
    orders.note(trades, at_s, PLACED_S + at_s, on_exchange=on_exchange)


def test_a_position_without_a_stop_order_is_told_after_its_grace_and_when_it_has_one(
    orders, journal
):
    bare = trade(order(is_open=False))
    look(orders, 0, bare)
    look(orders, 59, bare)
    assert told(journal) == []
    look(orders, 60, bare)
    look(orders, 120, bare)
    look(orders, 130, trade(order("stoploss")))
    assert told(journal) == ["bot.stop_missing", "bot.stop_placed"]


def test_a_stop_that_the_exchange_does_not_have_is_missing(orders, journal):
    claimed = trade(order("stoploss"))
    for at_s in (0, 60):
        orders.note([claimed], at_s, PLACED_S + at_s, on_exchange=True, lacking={1})
    assert told(journal) == ["bot.stop_missing"]
    orders.note([claimed], 70, PLACED_S + 70, on_exchange=True, lacking={2})
    assert told(journal) == ["bot.stop_missing", "bot.stop_placed"]


def test_a_stop_that_is_replaced_in_time_is_nothing(orders, journal):
    for at_s in range(0, 600, 30):
        look(orders, at_s, trade(order("stoploss")) if at_s % 60 else trade())
    assert told(journal) == []


@pytest.mark.parametrize(("is_short", "exit_side"), [(False, "sell"), (True, "buy")])
def test_a_position_on_its_way_out_needs_no_stop(is_short, exit_side):
    leaving = trade(order(exit_side), is_short=is_short)
    assert has_stop(leaving, on_exchange=True)
    entering = trade(order("buy" if exit_side == "sell" else "sell"), is_short=is_short)
    assert not has_stop(entering, on_exchange=True)


def test_a_stop_that_freqtrade_holds_itself_needs_a_rate():
    assert has_stop(trade(), on_exchange=False)
    assert not has_stop(trade(stop=None), on_exchange=False)


def test_a_closed_position_is_no_longer_without_a_stop(orders, journal):
    look(orders, 0, trade())
    look(orders, 100, trade())
    look(orders, 110)
    assert told(journal) == ["bot.stop_missing", "bot.stop_placed"]


def test_an_order_that_stays_is_told_once_and_when_it_is_gone(orders, journal):
    waiting = trade(order("stoploss", "9"), order("buy", "7"))
    for at_s in (0, 899, 900, 1000):
        look(orders, at_s, waiting)
    assert told(journal) == ["order.stuck"]
    look(orders, 1100, trade(order("stoploss", "9"), order("buy", "7", is_open=False)))
    assert told(journal) == ["order.stuck", "order.settled"]
