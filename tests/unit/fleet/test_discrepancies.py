import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.fleet.chronicle import Chronicle
from automation.fleet.discrepancies import Discrepancies, Holdings, differences, positions_in
from automation.journal import Journal

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"


def trade(pair=BTC, amount=1.0, *, is_short=False, orders=()):
    return {"pair": pair, "amount": amount, "is_short": is_short, "orders": list(orders)}


def order(side="buy", *, is_open=True):
    return {"ft_order_side": side, "is_open": is_open}


@pytest.fixture
def journal():
    with Journal.in_memory() as journal:
        yield journal


def told(journal):
    journal.append("test.flush", actor="test", source="test")
    return [
        (event.kind.removeprefix("bot.positions_"), event.payload["pair"])
        for event in journal.search(kind=("bot.positions_differ", "bot.positions_agree"))
    ]


@pytest.mark.parametrize(
    ("positions", "trades", "expected"),
    [
        ({}, [], {}),
        ({BTC: 1.0}, [trade()], {}),
        ({BTC: 1.00001}, [trade()], {}),
        ({BTC: -1.0}, [trade(is_short=True)], {}),
        ({BTC: 2.0}, [trade()], {BTC: 1.0}),
        ({}, [trade()], {BTC: -1.0}),
        ({BTC: 1.0}, [], {BTC: 1.0}),
        ({BTC: 1.0}, [trade(is_short=True)], {BTC: 2.0}),
        ({BTC: 1.0, ETH: 0.5}, [trade()], {ETH: 0.5}),
        ({BTC: 2.0}, [trade(orders=[order()])], {}),
        ({BTC: 2.0}, [trade(orders=[order(is_open=False)])], {BTC: 1.0}),
        ({BTC: 2.0}, [trade(orders=[order("stoploss")])], {BTC: 1.0}),
        ({BTC: 0.3}, [trade(amount=0.1), trade(amount=0.2)], {}),
        ({}, [trade(amount=0.0)], {}),
    ],
)
def test_what_an_account_holds_beyond_its_trades(positions, trades, expected):
    assert differences(positions, trades) == expected


amounts = st.floats(-1e4, 1e4, allow_nan=False).map(lambda amount: round(amount, 3))


@given(st.dictionaries(st.sampled_from([BTC, ETH, "SOL/USDT:USDT"]), amounts))
def test_trades_that_are_the_positions_never_differ(positions):
    trades = [trade(pair, abs(amount), is_short=amount < 0) for pair, amount in positions.items()]
    assert differences(positions, trades) == {}


def test_it_is_told_once_when_it_has_lasted_and_when_it_is_over(journal):
    looks = Discrepancies("m", Chronicle(journal), 30.0)
    for at_s in (10.0, 25.0):
        looks.note(Holdings({BTC: 2.0}, [trade()], at_s))
    assert told(journal) == []
    for at_s in (40.0, 55.0, 70.0):
        looks.note(Holdings({BTC: 2.0}, [trade()], at_s))
    assert told(journal) == [("differ", BTC)]
    looks.note(Holdings({BTC: 1.0}, [trade()], 85.0))
    assert told(journal) == [("differ", BTC), ("agree", BTC)]


def test_one_look_alone_tells_nothing_however_often_it_is_shown(journal):
    looks = Discrepancies("m", Chronicle(journal), 0.0)
    looks.note(None)
    seen = Holdings({BTC: 2.0}, [trade()], 10.0)
    looks = Discrepancies("m", Chronicle(journal), 5.0)
    for _ in range(9):
        looks.note(seen)
    assert told(journal) == []


def test_what_changes_from_look_to_look_is_not_told(journal):
    looks = Discrepancies("m", Chronicle(journal), 20.0)
    for number in range(20):
        looks.note(Holdings({BTC: 2.0 + number}, [trade()], 15.0 * number))
    assert told(journal) == []


def test_an_account_is_read_from_the_balance_as_freqtrade_tells_it():
    rows = [
        {"currency": "USDT", "position": 0, "side": "long", "is_position": False},
        {"currency": BTC, "position": 0.3, "side": "long", "is_position": True},
        {"currency": ETH, "position": 2.0, "side": "short", "is_position": True},
    ]
    assert positions_in({"currencies": rows}) == {BTC: 0.3, ETH: -2.0}
    assert positions_in({"total": 1.0}) is None
