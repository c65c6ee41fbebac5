"""An exchange on a market that the test writes second by second."""

from dataclasses import dataclass, field

from automation.simulator.trading.accounts import AccountSpec
from automation.simulator.trading.brackets import ladder
from automation.simulator.trading.exchange import Exchange
from automation.simulator.trading.log import MemoryLog
from automation.simulator.trading.orders import OrderRequest
from automation.simulator.trading.sights import Bounds, Depth, Quote, Second, Settlement
from automation.simulator.trading.units import ONE, Contract

START_MS = 1_700_000_000_000
LADDER = ladder(
    ((50_000, 0.004, 125), (500_000, 0.01, 50), (5_000_000, 0.05, 10), (10_000_000, 0.5, 1))
)


def contract(symbol: str) -> Contract:
    """Ticks of 0.1, steps of 0.001, notional of at least 5."""
    return Contract(
        symbol, symbol[:3], "USDT", 1, 2, 3, 5 * ONE, 1, 10_000_000, 10**9, 10**8, LADDER
    )


@dataclass
class Script:
    """A market that stays where it is put; `price` in ticks; mark equals price unless `marks` says."""

    price: dict[str, int]
    marks: dict[str, int] = field(default_factory=dict)
    volume: int = 1_000_000
    size: int = 100_000
    seconds: dict[tuple[str, int], Second] = field(default_factory=dict)
    fundings: list[Settlement] = field(default_factory=list)
    spread: int = 1

    def go(self, symbol: str, at_ms: int, to: int, volume: int | None = None) -> None:
        """In the second that ends at `at_ms` the price goes straight to `to`."""
        flowed = self.volume if volume is None else volume
        self.seconds[symbol, at_ms] = Second(
            symbol, at_ms, self.last(symbol, at_ms - 1000), to, flowed
        )

    def last(self, symbol: str, at_ms: int) -> int:
        gone = [
            (s.at_ms, s.last)
            for (name, at), s in self.seconds.items()
            if name == symbol and at <= at_ms
        ]
        return max(gone)[1] if gone else self.price[symbol]

    def quote(self, symbol: str, at_ms: int) -> Quote:
        last = self.last(symbol, at_ms)
        return Quote(symbol, at_ms, last, self.mark(symbol, at_ms), last, last + self.spread)

    def depth(self, symbol: str, at_ms: int) -> Depth:
        last = self.last(symbol, at_ms)
        bids = tuple((last - i, self.size) for i in range(50))
        asks = tuple((last + self.spread + i, self.size) for i in range(50))
        return Depth(symbol, at_ms, bids, asks)

    def second(self, symbol: str, at_ms: int) -> Second:
        flat = self.last(symbol, at_ms)
        return self.seconds.get((symbol, at_ms), Second(symbol, at_ms, flat, flat, 0))

    def mark(self, symbol: str, at_ms: int) -> int:
        return self.marks.get(symbol, 0) or self.last(symbol, at_ms) * 10**7

    def next_hit(self, symbol: str, from_ms: int, to_ms: int, bounds: Bounds) -> int | None:
        for at_ms in range(from_ms, to_ms + 1, 1000):
            second, mark = self.second(symbol, at_ms), self.mark(symbol, at_ms)
            traded = second.volume and (second.low <= bounds.low or second.high >= bounds.high)
            if traded or mark <= bounds.mark_low or mark >= bounds.mark_high:
                return at_ms
        return None

    def next_funding(self, symbol: str, after_ms: int, to_ms: int) -> Settlement | None:
        due = [f for f in self.fundings if f.symbol == symbol and after_ms < f.at_ms <= to_ms]
        return min(due, key=lambda f: f.at_ms, default=None)


class Table:
    """An exchange, its market and short words for orders."""

    def __init__(self, *, start_ms: int = START_MS, **specs: int) -> None:
        self.specs = [
            AccountSpec(name, f"key-{name}", f"secret-{name}", amount * ONE)
            for name, amount in (specs or {"alice": 10_000, "bob": 10_000}).items()
        ]
        self.contracts = {symbol: contract(symbol) for symbol in ("BTCUSDT", "ETHUSDT")}
        self.market = Script({"BTCUSDT": 300_000, "ETHUSDT": 20_000})
        self.log = MemoryLog()
        self.exchange = Exchange(
            self.contracts,
            self.specs,
            self.market,
            start_ms=start_ms,
            log=self.log,
            insurance=1_000_000 * ONE,
        )
        self.events: list[object] = []
        self.exchange.subscribe(self.events.append)
        self.now_ms = start_ms

    def order(self, account: str, side: str, quantity: int, price: int = 0, **more: object):
        """Place a limit order, or a market order without a price."""
        kind = "LIMIT" if price else "MARKET"
        wanted = OrderRequest(more.pop("symbol", "BTCUSDT"), side, kind, quantity, price, **more)
        return self.exchange.place(account, wanted, self.now_ms)

    def stop(self, account: str, side: str, quantity: int, trigger: int, **more: object):
        kind = more.pop("kind", "STOP_MARKET")
        wanted = OrderRequest(
            more.pop("symbol", "BTCUSDT"), side, kind, quantity, trigger_price=trigger, **more
        )
        return self.exchange.place_algo(account, wanted, self.now_ms)

    def go(self, to: int, symbol: str = "BTCUSDT", volume: int | None = None) -> None:
        """Let the next second bring the price to `to`."""
        at_ms = (self.now_ms // 1000 + 1) * 1000
        self.market.go(symbol, at_ms, to, volume)
        self.wait(at_ms - self.now_ms)

    def wait(self, ms: int) -> None:
        self.now_ms += ms
        self.exchange.advance(self.now_ms)

    def position(self, account: str, symbol: str = "BTCUSDT"):
        return self.exchange.accounts[account].position(symbol)

    def check_money(self) -> None:
        """Every unit that was ever deposited is somewhere."""
        funds = self.exchange.floor.funds
        wallets = sum(each.wallet for each in self.exchange.accounts.values())
        assert (
            wallets + funds.fees + funds.insurance + funds.funding + funds.clearing
            == funds.deposits
        )
