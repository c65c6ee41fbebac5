import pytest

from automation.fleet.chronicle import Chronicle
from automation.fleet.hearing import MOST_A_MINUTE, Ear
from automation.fleet.probe import Trades
from automation.fleet.tradebook import TradeBook
from automation.journal import Journal
from automation.testing import ManualClock, fake_trade

OPENED = "2023-11-14T22:14:20+00:00"  # of fake_trade(1)
ENTRY = {
    "type": "entry_fill", "trade_id": 1, "enter_tag": "fake", "exchange": "Binance",
    "pair": "BTC/USDT:USDT", "leverage": 2.0, "direction": "Long", "open_rate": 100.0,
    "order_rate": 100.0, "stake_amount": 50.0, "amount": 0.01, "open_date": OPENED,
    "sub_trade": False,
}  # fmt: skip
EXIT = {
    **ENTRY, "type": "exit_fill", "close_rate": 101.0, "profit_amount": 1.0, "profit_ratio": 0.02,
    "exit_reason": "roi", "close_date": "2023-11-14T22:14:50+00:00", "cumulative_profit": 1.0,
    "final_profit_ratio": 0.02, "is_final_exit": True,
}  # fmt: skip


@pytest.fixture
def journal():
    with Journal.in_memory() as journal:
        yield journal


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def ear(journal, clock):
    return Ear("m", Chronicle(journal), clock)


@pytest.fixture
def book(journal):
    book = TradeBook("m", "db", Chronicle(journal))
    book.note(Trades((), (), 0))
    return book


def told(journal, *kinds):
    journal.append("test.flush", actor="test", source="test")
    return journal.search(kind=kinds)


def test_a_trade_that_was_heard_and_then_seen_is_told_once_and_alike(ear, book, journal):
    assert ear.hear(ENTRY, book)
    book.note(Trades([fake_trade(1)], None, 0))
    assert ear.hear(EXIT, book)
    book.note(Trades((), [fake_trade(1, closed=True)], 1))
    heard = [event.payload for event in told(journal, "trade.opened", "trade.closed")]
    with Journal.in_memory() as other:
        seen = TradeBook("m", "db", Chronicle(other))
        seen.note(Trades((), (), 0))
        seen.note(Trades((), [fake_trade(1, closed=True)], 1))
        expected = [e.payload for e in told(other, "trade.opened", "trade.closed")]
    assert heard == expected


def test_a_trade_that_was_seen_first_is_not_told_again_when_heard(ear, book, journal):
    book.note(Trades((), [fake_trade(1, closed=True)], 1))
    ear.hear(ENTRY, book)
    ear.hear(EXIT, book)
    assert len(told(journal, "trade.opened", "trade.closed")) == 2


def test_partial_fills_ask_for_a_look_and_tell_nothing_themselves(ear, book, journal):
    assert ear.hear(ENTRY | {"sub_trade": True}, book)
    assert ear.hear(EXIT | {"is_final_exit": False}, book)
    assert told(journal, "trade.opened", "trade.closed") == []


def test_before_the_account_begins_nothing_is_told(ear, journal):
    book = TradeBook("m", "db", Chronicle(journal))
    ear.hear(ENTRY, book)
    ear.hear(EXIT, book)
    ear.hear(ENTRY, None)
    assert told(journal, "trade.opened", "trade.closed") == []


def test_the_same_warning_is_told_once_in_ten_minutes(ear, journal, clock):
    for _ in range(700):
        ear.hear({"type": "warning", "status": "slow\nexchange"}, None)
        clock.advance(1.0)
    said = told(journal, "bot.said")
    assert [event.payload["text"] for event in said] == ["slow exchange"] * 2
    assert said[0].actor == "freqtrade"


def test_a_talkative_bot_fills_no_journal(ear, journal, clock):
    for n in range(600):
        ear.hear({"type": "warning", "status": f"trouble {n}"}, None)
        clock.advance(0.1)
    assert len(told(journal, "bot.said")) <= MOST_A_MINUTE + 1


def test_trades_are_told_however_much_a_bot_talks(ear, book, journal):
    for n in range(50):
        ear.hear({"type": "warning", "status": f"trouble {n}"}, book)
    ear.hear(ENTRY, book)
    assert len(told(journal, "trade.opened")) == 1


def test_orders_and_locks_are_told(ear, journal):
    ear.hear(ENTRY | {"type": "entry", "direction": "Short"}, None)
    ear.hear(ENTRY | {"type": "entry_cancel", "reason": "timeout"}, None)
    lock = {"type": "protection_trigger", "pair": "BTC/USDT:USDT", "reason": "stoploss guard",
            "lock_end_time": "2026-01-01 00:00"}  # fmt: skip
    ear.hear(lock, None)
    placed, canceled, said = told(journal, "order.*", "bot.said")
    assert (placed.kind, placed.payload["side"]) == ("order.placed", "short")
    assert (canceled.kind, canceled.payload["reason"]) == ("order.canceled", "timeout")
    assert "stoploss guard" in said.payload["text"]


@pytest.mark.parametrize("message", [{}, {"type": "new_candle"}, {"type": "whitelist", "data": []}])
def test_other_messages_are_let_pass(ear, journal, message):
    assert not ear.hear(message, None)
    assert told(journal, "bot.*", "order.*") == []


def test_what_no_freqtrade_writes_is_refused_by_name(ear, book):
    with pytest.raises((KeyError, TypeError, ValueError)):
        ear.hear({"type": "entry_fill", "trade_id": None}, book)
