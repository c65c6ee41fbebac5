import pytest

from automation.fleet.chronicle import Chronicle
from automation.fleet.positions import Positions, liquidation_distance, symbol_of
from automation.journal import Journal


@pytest.fixture
def journal():
    with Journal.in_memory() as journal:
        yield journal


def trade(rate=100.0, liquidation=80.0, *, number=1, is_short=False):
    return {
        "trade_id": number, "pair": "BTC/USDT:USDT", "is_short": is_short, "amount": 1.0,
        "current_rate": rate, "liquidation_price": liquidation, "leverage": 5.0,
        "total_profit_abs": -3.0,
    }  # fmt: skip


def seen(journal):
    journal.append("test.flush", actor="test", source="test")
    return [event.payload for event in journal.search(kind="position.observed")]


def test_the_distance_is_a_share_of_the_present_rate():
    assert liquidation_distance(100.0, 80.0, is_short=False) == pytest.approx(0.2)
    assert liquidation_distance(100.0, 120.0, is_short=True) == pytest.approx(0.2)
    assert liquidation_distance(70.0, 80.0, is_short=False) == 0.0
    assert liquidation_distance(100.0, None, is_short=False) is None
    assert liquidation_distance(100.0, 0.0, is_short=False) is None


def test_pairs_are_named_as_the_exchange_names_them():
    assert symbol_of("1000PEPE/USDT:USDT") == "1000PEPEUSDT"


def test_a_quiet_position_is_told_once(journal):
    positions = Positions("m", Chronicle(journal))
    for n in range(200):
        positions.note([trade(100.0 + 0.1 * (n % 3))], {"BTCUSDT": 0.0001}, 5.0 * n)
    assert len(seen(journal)) == 1


def test_coming_near_liquidation_is_told_at_once_and_the_way_back_too(journal):
    positions = Positions("m", Chronicle(journal))
    for at_s, rate in ((0, 100.0), (15, 83.0), (30, 100.0)):
        positions.note([trade(rate)], {}, at_s)
    distances = [one["liquidation_distance_frac"] for one in seen(journal)]
    assert distances == pytest.approx([0.2, 3 / 83, 0.2])


def test_funding_counts_from_the_side_that_pays(journal):
    positions = Positions("m", Chronicle(journal))
    both = [trade(number=1), trade(number=2, is_short=True, liquidation=120.0)]
    positions.note(both, {"BTCUSDT": 0.002}, 0.0)
    assert [one["funding_rate_frac"] for one in seen(journal)] == [0.002, -0.002]


def test_an_entry_that_is_not_filled_is_no_position(journal):
    Positions("m", Chronicle(journal)).note([trade() | {"amount": 0.0}], {}, 0.0)
    assert seen(journal) == []


def test_a_position_without_liquidation_rate_is_told_for_its_funding_alone(journal):
    positions = Positions("m", Chronicle(journal))
    positions.note([trade(liquidation=None)], {}, 0.0)
    positions.note([trade(liquidation=None)], {"BTCUSDT": 0.0}, 100.0)
    (only,) = seen(journal)
    assert (only["liquidation_distance_frac"], only["funding_rate_frac"]) == (None, 0.0)
