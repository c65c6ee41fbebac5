"""The trading floor: everything the exchange knows at one instant, and the numbers it gives out.

Decides ids, and which view of the market holds at an instant. Refuses to decide what happens to
orders and money; `entry`, `matching`, `settlement` and the others do that on it. Built by `exchange`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from automation.simulator.trading.accounts import Account, AccountSpec
from automation.simulator.trading.orders import AlgoOrder, Order
from automation.simulator.trading.outlet import Outlet
from automation.simulator.trading.rejected import reject
from automation.simulator.trading.shelf import Shelf
from automation.simulator.trading.sights import Depth, Feed, Quote
from automation.simulator.trading.units import Contract

INSTANT_MS = 100  # the market's view changes ten times a second, as in `timeline`
_NUMBERS_PER_MS = 1000  # more than can be given, so that one started later repeats none
_ALGO_APART = 1 << 52  # Freqtrade keeps both in one column; their sum still is an exact double


class Record(Protocol):
    """Takes down what the exchange consumes and tells."""

    def add(self, entry: Any) -> None:
        """Append one entry."""
        ...


@dataclass(slots=True)
class Funds:
    """Money of the exchange itself; with all wallets it is what was ever deposited."""

    deposits: int = 0
    fees: int = 0
    insurance: int = 0
    funding: int = 0
    clearing: int = 0
    """Counterparty of realized profit: what positions have still to bring or take."""


class Floor:
    """State of the exchange."""

    def __init__(
        self,
        contracts: Mapping[str, Contract],
        specs: Sequence[AccountSpec],
        feed: Feed,
        record: Record,
        start_ms: int,
    ) -> None:
        """Open the accounts without money; nothing has happened yet."""
        self.contracts, self.feed, self.record = contracts, feed, record
        self.accounts = {spec.name: Account(spec) for spec in specs}
        self.funds, self.outlet = Funds(), Outlet()
        self.now_ms = start_ms
        self.halted: set[str] = set()
        self.touched: set[str] = set()
        """Accounts whose guards have to be drawn again."""
        self._shelves: dict[str, Shelf] = {}
        self._quotes: dict[str, Quote] = {}
        self._depths: dict[str, Depth] = {}
        self._order = self._trade = start_ms * _NUMBERS_PER_MS
        self._algo = self._order + _ALGO_APART
        self._rank = self._number = 0

    def account(self, name: str) -> Account:
        """Find an account."""
        return self.accounts[name]

    def contract(self, symbol: str) -> Contract:
        """Find a contract; -1121 if there is none."""
        found = self.contracts.get(symbol)
        if found is None:
            reject(-1121, "Invalid symbol.")
        return found

    def shelf(self, symbol: str) -> Shelf:
        """Find or make the shelf of a symbol."""
        found = self._shelves.get(symbol)
        if found is None:
            found = self._shelves[symbol] = Shelf()
        return found

    @property
    def symbols(self) -> list[str]:
        """Symbols in which anything was ever ordered, in order."""
        return sorted(self._shelves)

    @property
    def instant_ms(self) -> int:
        """The instant whose view of the market holds now."""
        return self.now_ms // INSTANT_MS * INSTANT_MS

    def quote(self, symbol: str) -> Quote:
        """See a symbol now; what is seen is recorded."""
        known, now_ms = self._quotes.get(symbol), self.now_ms
        at_ms = now_ms - now_ms % INSTANT_MS
        if known is not None and known.at_ms == at_ms:
            return known
        seen = self._quotes[symbol] = self.feed.quote(symbol, at_ms)
        self.record.add(("q", at_ms, symbol, seen.last, seen.mark, seen.bid, seen.ask))
        return seen

    def mark(self, symbol: str) -> int:
        """Mark price now, 1e-8."""
        return self.quote(symbol).mark

    def depth(self, symbol: str) -> Depth:
        """See the modelled book now; what is seen is recorded."""
        known, at_ms = self._depths.get(symbol), self.instant_ms
        if known is not None and known.at_ms == at_ms:
            return known
        seen = self._depths[symbol] = self.feed.depth(symbol, at_ms)
        self.record.add(("d", at_ms, symbol, seen.bids, seen.asks))
        return seen

    def new_order_id(self) -> int:
        """Number an order."""
        self._order += 1
        return self._order

    def new_algo_id(self) -> int:
        """Number a conditional order."""
        self._algo += 1
        return self._algo

    def new_trade_id(self) -> int:
        """Number a trade."""
        self._trade += 1
        return self._trade

    def new_rank(self) -> int:
        """Give the next place in time."""
        self._rank += 1
        return self._rank

    def new_number(self) -> int:
        """Number a line of a history."""
        self._number += 1
        return self._number

    def touch(self, account: Account, symbol: str) -> None:
        """Note that what the market could do to an account has changed."""
        self.shelf(symbol).version += 1
        self.touched.add(account.name)

    def find(self, account: Account, order_id: int | None, client_id: str | None) -> Order | None:
        """Find an order by either of its ids; the exchange's own goes first."""
        if order_id is not None:
            return account.orders.get(order_id)
        return account.by_client_id.get(("", client_id or ""))

    def find_algo(
        self, account: Account, algo_id: int | None, client_id: str | None
    ) -> AlgoOrder | None:
        """Find a conditional order by either of its ids."""
        if algo_id is not None:
            return account.algo_orders.get(algo_id)
        return account.by_client_algo_id.get(client_id or "")
