"""The exchange: accounts that trade against the market and each other, as one state machine.

Decides the order of things: time is carried forward second by second, each command meets the state
of the instant at which it arrived. What happens then is decided in the other modules. Refuses to
know sockets, JSON and signatures. Called by `signed` (commands), the server (`advance`), streams and
faults (`subscribe`), tests.

    exchange.subscribe(print)                 every event, in order
    exchange.advance(to_ms)                   the market up to an instant; never goes back
    exchange.place("alice", request, at_ms)   a command, at the instant it arrived
"""

import heapq
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from automation.simulator.trading import changes, conditional, entry, funding, liquidation, settings
from automation.simulator.trading.accounts import Account, AccountSpec, Position
from automation.simulator.trading.events import MarginType
from automation.simulator.trading.floor import Floor, Record
from automation.simulator.trading.lifecycle import end
from automation.simulator.trading.log import NoLog
from automation.simulator.trading.matching import fill_resting
from automation.simulator.trading.orders import AlgoOrder, Order, OrderRequest
from automation.simulator.trading.outlet import Listener
from automation.simulator.trading.rejected import Rejected
from automation.simulator.trading.reporting import tell_account
from automation.simulator.trading.settlement import deposit
from automation.simulator.trading.sights import Feed, Second, Settlement
from automation.simulator.trading.units import Contract
from automation.simulator.trading.watch import SECOND_MS, Watch


class Exchange:
    """One exchange from its opening on."""

    def __init__(
        self,
        contracts: Mapping[str, Contract],
        specs: Sequence[AccountSpec],
        feed: Feed,
        *,
        start_ms: int,
        log: Record | None = None,
        insurance: int = 0,
    ) -> None:
        """Open the accounts with their deposits and the insurance fund with its own (money)."""
        self.log: Record = log or NoLog()
        self.floor = Floor(contracts, specs, feed, self.log, start_ms)
        self._watch = Watch(self.floor, start_ms // SECOND_MS * SECOND_MS, funded_ms=start_ms)
        self._timers: list[tuple[int, int, str, str, str]] = []
        self._timer_count = 0
        names = [(spec.name, spec.deposit) for spec in specs]
        self.log.add(("genesis", start_ms, names, insurance))
        self.floor.funds.insurance = self.floor.funds.deposits = insurance
        for spec in specs:
            deposit(self.floor, self.floor.accounts[spec.name], spec.deposit)

    @property
    def accounts(self) -> Mapping[str, Account]:
        """All accounts by name."""
        return self.floor.accounts

    @property
    def contracts(self) -> Mapping[str, Contract]:
        """All contracts by symbol."""
        return self.floor.contracts

    @property
    def now_ms(self) -> int:
        """The instant that was reached."""
        return self.floor.now_ms

    def mark(self, symbol: str) -> int:
        """Mark price now, 1e-8; looked at, not recorded."""
        return self.floor.feed.quote(symbol, self.floor.instant_ms).mark

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with each event from now on; gives what ends it."""
        return self.floor.outlet.subscribe(listener)

    # --- time -----------------------------------------------------------------------------------

    def advance(self, to_ms: int) -> None:
        """Let everything happen that is due up to an instant; earlier instants change nothing."""
        if to_ms <= self.floor.now_ms:
            return
        whole = to_ms // SECOND_MS * SECOND_MS
        while self._step(whole, to_ms):
            pass
        if whole > self._watch.done_ms:
            self._watch.finish(whole)
        self._watch.funded_ms = to_ms
        self.floor.now_ms = to_ms

    def _step(self, whole_ms: int, to_ms: int) -> bool:
        """Let the next thing happen; False if nothing is due."""
        hit = self._watch.next_hit(whole_ms)
        paid = self._watch.next_funding(to_ms)
        never = to_ms + 1
        due = self._timers[0][0] if self._timers else never
        first = min(hit[0] if hit else never, paid.at_ms if paid else never, due)
        if first > to_ms:
            return False
        if hit is not None and hit[0] == first:
            self._look(*hit)
        elif paid is not None and paid.at_ms == first:
            self.settle_funding(paid)
        else:
            _, _, account, kind, key = heapq.heappop(self._timers)
            self.run_timer(first, account, kind, key)
        return True

    def _look(self, at_ms: int, symbol: str) -> None:
        """Look at one second of one symbol."""
        watch, feed, shelf = self._watch, self.floor.feed, self.floor.shelf(symbol)
        watch.done_ms, watch.done_symbol = at_ms, symbol
        watch.pass_by(at_ms)
        second, mark = feed.second(symbol, at_ms), feed.mark(symbol, at_ms)
        if symbol not in self.floor.halted and second.volume > 0 and _is_reached(shelf, second):
            self.trade_second(second)
        rising, falling = shelf.marked
        if mark and (rising.met(mark) or falling.met(mark)):
            self.fire_marked(at_ms, symbol, mark)
        for name in watch.guarded(symbol, mark):
            account = self.floor.accounts[name]
            if liquidation.in_danger(self.floor, account, watch.mark):
                held = sorted(s for s, p in account.active.items() if p.size)
                self.judge(at_ms, name, {each: watch.mark(each) for each in held})

    def trade_second(self, second: Second) -> None:
        """Let a second's trades fill what rests and fire what waits."""
        self.floor.now_ms = max(self.floor.now_ms, second.at_ms)
        entry_ = ("s", second.at_ms, second.symbol, second.first, second.last, second.volume)
        self.log.add(entry_)
        fill_resting(self.floor, second)
        conditional.fire_traded(self.floor, second.symbol, second.low, second.high)

    def fire_marked(self, at_ms: int, symbol: str, mark: int) -> None:
        """Let a mark price fire what waits for it."""
        self.floor.now_ms = max(self.floor.now_ms, at_ms)
        self.log.add(("m", at_ms, symbol, mark))
        conditional.fire_marked(self.floor, symbol, mark)

    def judge(self, at_ms: int, name: str, marks: Mapping[str, int]) -> None:
        """Call or take over what is in danger at mark prices."""
        self.floor.now_ms = max(self.floor.now_ms, at_ms)
        self.log.add(("l", at_ms, name, marks))
        liquidation.judge(self.floor, self.floor.accounts[name], lambda symbol: marks[symbol])

    def settle_funding(self, settlement: Settlement) -> None:
        """Let one symbol's funding be paid."""
        self.floor.now_ms = max(self.floor.now_ms, settlement.at_ms)
        self._watch.note_funded(settlement)
        self._watch.pass_by(settlement.at_ms)
        self.log.add(("f", settlement.at_ms, settlement.symbol, settlement.rate, settlement.mark))
        funding.settle(self.floor, settlement)

    def run_timer(self, at_ms: int, name: str, kind: str, key: str) -> None:
        """Let one timer run out: a countdown, or an order's last day."""
        self.floor.now_ms = max(self.floor.now_ms, at_ms)
        self.log.add(("t", at_ms, name, kind, key))
        account = self.floor.accounts[name]
        if kind == "countdown" and account.countdowns.get(key) == at_ms:
            del account.countdowns[key]
            changes.cancel_all(self.floor, account, key)
            conditional.cancel_all_algo(self.floor, account, key)
        if kind == "good_till" and account.orders[int(key)].is_open:
            end(self.floor, account, account.orders[int(key)], "EXPIRED")

    def _set_timer(self, due_ms: int, name: str, kind: str, key: str) -> None:
        self._timer_count += 1
        heapq.heappush(self._timers, (due_ms, self._timer_count, name, kind, key))

    # --- commands -------------------------------------------------------------------------------

    def command(self, name: str, at_ms: int, what: str, *arguments: Any) -> Any:
        """Carry out a command at the instant it arrived; `Rejected` where it is refused."""
        self.advance(at_ms)
        self.log.add(("c", self.floor.now_ms, name, what, arguments))
        try:
            return _COMMANDS[what](self, self.floor.accounts[name], *arguments)
        except Rejected as refusal:
            self.log.add(("r", refusal.code, refusal.message))
            raise

    def place(self, account: str, request: OrderRequest, at_ms: int) -> Order:
        """Place a limit or market order."""
        order: Order = self.command(account, at_ms, "place", request)
        return order

    def cancel(
        self,
        account: str,
        symbol: str,
        at_ms: int,
        *,
        order_id: int | None = None,
        client_id: str | None = None,
    ) -> Order:
        """Cancel an open order by one of its ids."""
        order: Order = self.command(account, at_ms, "cancel", symbol, order_id, client_id)
        return order

    def amend(
        self,
        account: str,
        symbol: str,
        price: int,
        quantity: int,
        at_ms: int,
        *,
        order_id: int | None = None,
        client_id: str | None = None,
    ) -> Order:
        """Change price and quantity of an open limit order."""
        ids = order_id, client_id
        order: Order = self.command(account, at_ms, "amend", symbol, *ids, price, quantity)
        return order

    def cancel_all(self, account: str, symbol: str, at_ms: int) -> None:
        """Cancel every open order of a symbol."""
        self.command(account, at_ms, "cancel_all", symbol)

    def place_algo(self, account: str, request: OrderRequest, at_ms: int) -> AlgoOrder:
        """Place a conditional order."""
        algo: AlgoOrder = self.command(account, at_ms, "place_algo", request)
        return algo

    def cancel_algo(
        self, account: str, at_ms: int, *, algo_id: int | None = None, client_id: str | None = None
    ) -> AlgoOrder:
        """Cancel a waiting conditional order by one of its ids."""
        algo: AlgoOrder = self.command(account, at_ms, "cancel_algo", algo_id, client_id)
        return algo

    def cancel_all_algo(self, account: str, symbol: str, at_ms: int) -> None:
        """Cancel every waiting conditional order of a symbol."""
        self.command(account, at_ms, "cancel_all_algo", symbol)

    def countdown(self, account: str, symbol: str, after_ms: int, at_ms: int) -> None:
        """Cancel everything of a symbol after a while, unless told again; 0 ends the countdown."""
        self.command(account, at_ms, "countdown", symbol, after_ms)

    def set_leverage(self, account: str, symbol: str, leverage: int, at_ms: int) -> Position:
        """Change a symbol's leverage."""
        position: Position = self.command(account, at_ms, "leverage", symbol, leverage)
        return position

    def set_margin_type(
        self, account: str, symbol: str, margin_type: MarginType, at_ms: int
    ) -> None:
        """Change a symbol between cross and isolated margin."""
        self.command(account, at_ms, "margin_type", symbol, margin_type)

    def change_margin(self, account: str, symbol: str, amount: int, kind: int, at_ms: int) -> None:
        """Add (1) or take (2) margin of an isolated position."""
        self.command(account, at_ms, "margin", symbol, amount, kind)

    def deposit(self, account: str, amount: int, at_ms: int) -> None:
        """Bring money in, or out where it is negative."""
        self.command(account, at_ms, "deposit", amount)

    def halt(self, account: str, symbol: str, at_ms: int, *, halted: bool) -> None:
        """Stop or resume trading in a symbol; `account` is in whose name it is written down."""
        self.command(account, at_ms, "halt", symbol, halted)

    def _place(self, account: Account, request: OrderRequest) -> Order:
        order = entry.place(self.floor, account, request)
        if request.time_in_force == "GTD" and order.is_open:
            key = str(order.order_id)
            self._set_timer(request.good_till_ms, account.name, "good_till", key)
        return order

    def _amend(
        self,
        account: Account,
        symbol: str,
        order_id: int | None,
        client_id: str | None,
        price: int,
        quantity: int,
    ) -> Order:
        order = changes.find_open(self.floor, account, symbol, order_id, client_id)
        return changes.amend(self.floor, account, order, price, quantity)

    def _countdown(self, account: Account, symbol: str, after_ms: int) -> None:
        self.floor.contract(symbol)
        if after_ms <= 0:
            account.countdowns.pop(symbol, None)
            return
        due = account.countdowns[symbol] = self.floor.now_ms + after_ms
        self._set_timer(due, account.name, "countdown", symbol)

    def _deposit(self, account: Account, amount: int) -> None:
        deposit(self.floor, account, amount)
        self.floor.touched.add(account.name)
        tell_account(self.floor, account, "DEPOSIT" if amount > 0 else "WITHDRAW", amount, ())

    def _halt(self, _: Account, symbol: str, halted: bool) -> None:
        (self.floor.halted.add if halted else self.floor.halted.discard)(symbol)


def _is_reached(shelf: Any, second: Second) -> bool:
    buy, sell = shelf.buys.best, shelf.sells.best
    rising, falling = shelf.traded
    return (
        (buy is not None and second.low <= buy)
        or (sell is not None and second.high >= sell)
        or bool(rising.met(second.high))
        or bool(falling.met(second.low))
    )


_COMMANDS: dict[str, Callable[..., Any]] = {
    "place": Exchange._place,
    "cancel": lambda self, *rest: changes.cancel(self.floor, *rest),
    "amend": Exchange._amend,
    "cancel_all": lambda self, *rest: changes.cancel_all(self.floor, *rest),
    "place_algo": lambda self, *rest: conditional.place_algo(self.floor, *rest),
    "cancel_algo": lambda self, *rest: conditional.cancel_algo(self.floor, *rest),
    "cancel_all_algo": lambda self, *rest: conditional.cancel_all_algo(self.floor, *rest),
    "countdown": Exchange._countdown,
    "leverage": lambda self, *rest: settings.set_leverage(self.floor, *rest),
    "margin_type": lambda self, *rest: settings.set_margin_type(self.floor, *rest),
    "margin": lambda self, *rest: settings.change_margin(self.floor, *rest),
    "deposit": Exchange._deposit,
    "halt": Exchange._halt,
}
