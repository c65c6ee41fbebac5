"""Each trade is told once: over looks, over supervisors, over databases."""

from automation.fleet.chronicle import Chronicle
from automation.fleet.probe import Trades
from automation.fleet.tradebook import TradeBook
from automation.journal import Journal, sentence
from automation.testing import fake_trade


class Desk:
    """A journal, and a bot's book that can be opened anew."""

    def __init__(self) -> None:
        self.journal = Journal.in_memory()
        self.open("db")

    def open(self, database: str) -> None:
        self.journal.append("flush.x", actor="t", source="t")  # all posts before are written now
        self.book = TradeBook("a", database, Chronicle(self.journal))

    def told(self) -> list[tuple[str, int]]:
        self.journal.append("flush.x", actor="t", source="t")
        found = self.journal.search(kind=("trade.opened", "trade.closed"))
        return [(event.kind.split(".")[1], event.payload["trade_id"]) for event in found]


def test_a_trade_is_opened_and_closed_once():
    desk = Desk()
    desk.book.note(Trades([], [], 0))
    for _ in range(3):
        desk.book.note(Trades([fake_trade(1)]))
    for _ in range(3):
        desk.book.note(Trades([], [fake_trade(1, closed=True)], 1))
    assert desk.told() == [("opened", 1), ("closed", 1)]


def test_a_trade_between_two_looks_is_told_whole():
    desk = Desk()
    desk.book.note(Trades([], [], 0))
    desk.book.note(Trades([], [fake_trade(1, closed=True)], 1))
    assert desk.told() == [("opened", 1), ("closed", 1)]


def test_a_new_supervisor_tells_nothing_twice_and_misses_nothing():
    desk = Desk()
    desk.book.note(Trades([], [], 0))
    desk.book.note(Trades([fake_trade(1), fake_trade(2)]))
    desk.open("db")
    desk.book.note(Trades([fake_trade(2)], [fake_trade(1, closed=True)], 1))
    desk.book.note(Trades([fake_trade(2)], [fake_trade(1, closed=True)], 1))
    assert desk.told() == [("opened", 1), ("opened", 2), ("closed", 1)]


def test_the_history_of_an_existing_database_is_not_told():
    desk = Desk()
    old = [fake_trade(n, closed=True) for n in (1, 2)]
    desk.book.note(Trades([fake_trade(3)]))  # before the closed ones were seen
    assert desk.told() == []
    desk.book.note(Trades([fake_trade(3)], old, 2))
    desk.book.note(Trades([], [*old, fake_trade(3, closed=True), fake_trade(4, closed=True)], 4))
    assert desk.told() == [("opened", 3), ("opened", 4), ("closed", 4)] or desk.told() == [
        ("opened", 3),
        ("closed", 3),
        ("opened", 4),
        ("closed", 4),
    ]


def test_a_fresh_database_counts_from_one_again():
    desk = Desk()
    desk.book.note(Trades([], [], 0))
    desk.book.note(Trades([], [fake_trade(1, closed=True)], 1))
    desk.open("other-db")
    again = fake_trade(1) | {"open_timestamp": 1_800_000_000_000}
    desk.book.note(Trades([again], [], 0))
    assert desk.told() == [("opened", 1), ("closed", 1), ("opened", 1)]


def test_an_entry_that_is_not_filled_is_no_trade_yet():
    desk = Desk()
    desk.book.note(Trades([], [], 0))
    desk.book.note(Trades([fake_trade(1) | {"amount": 0.0}]))
    assert desk.told() == []


def test_the_sentences():
    desk = Desk()
    desk.book.note(Trades([], [], 0))
    desk.book.note(Trades([], [fake_trade(1, closed=True)], 1))
    desk.told()
    told = [sentence(event) for event in desk.journal.search(kind="trade.*")]
    assert told == [
        "a brings 0 trades closed before",
        "a opened long BTC/USDT:USDT at 100: stake 50.00 USDT, leverage 2",
        "a closed long BTC/USDT:USDT at 101: +1.00 USDT (+2.00%), roi",
    ]
