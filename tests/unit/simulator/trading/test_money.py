"""Whatever accounts and the market do, every unit of money is somewhere, and explained.

Two accounts order, cancel, amend, borrow, add and take margin, on a market that jumps and pays
funding, in any order that hypothesis thinks of.
"""

import os
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import Phase, seed, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from automation.simulator.trading.rejected import Rejected
from automation.simulator.trading.replay import replay
from automation.simulator.trading.sights import Settlement
from automation.simulator.trading.units import ONE
from tests.unit.simulator.trading.table import Table

WHO = st.sampled_from(["alice", "bob"])
WHAT = st.sampled_from(["BTCUSDT", "ETHUSDT"])
SIDE = st.sampled_from(["BUY", "SELL"])
STEPS = st.one_of(st.integers(1, 300), st.integers(100, 3_000), st.integers(1, 60_000))
EXAMPLES = int(os.environ.get("FREQFLEET_EXAMPLES", "40"))
# Who only wants to know whether it fails does not wait for the shortest example of it.
IS_TRIAL = "FREQFLEET_EXAMPLES" in os.environ
PHASES = (Phase.generate,) if IS_TRIAL else tuple(Phase)
# What ever failed is tried first from then on, also by others: the folder belongs into the repository.
FAILED = None if IS_TRIAL else DirectoryBasedExampleDatabase(Path(__file__).with_name("failed"))


class Trading(RuleBasedStateMachine):
    """Commands and market in any order; the rules of money after each."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Table(alice=3_000, bob=20_000)

    def try_to(self, call, *arguments, **more) -> None:
        """A refused command must change nothing of the money."""
        try:
            call(*arguments, **more)
        except Rejected:
            return

    @property
    def exchange(self):
        return self.table.exchange

    @property
    def now(self) -> int:
        return self.table.now_ms

    def last(self, symbol: str) -> int:
        return self.table.market.last(symbol, self.now)

    @rule(
        who=WHO,
        symbol=WHAT,
        side=SIDE,
        steps=STEPS,
        basis_points=st.integers(-450, 450),
        time_in_force=st.sampled_from(["GTC", "GTC", "IOC", "FOK", "GTX"]),
        reduce=st.booleans(),
    )
    def order(self, who, symbol, side, steps, basis_points, time_in_force, reduce):
        price = self.last(symbol) * (10_000 + basis_points) // 10_000
        more = {"symbol": symbol, "time_in_force": time_in_force, "reduce_only": reduce}
        self.try_to(self.table.order, who, side, steps, price, **more)

    @rule(who=WHO, symbol=WHAT, side=SIDE, steps=STEPS, reduce=st.booleans())
    def market_order(self, who, symbol, side, steps, reduce):
        self.try_to(self.table.order, who, side, steps, symbol=symbol, reduce_only=reduce)

    @rule(
        who=WHO,
        symbol=WHAT,
        side=SIDE,
        steps=STEPS,
        basis_points=st.integers(1, 400),
        working=st.sampled_from(["MARK_PRICE", "CONTRACT_PRICE"]),
        reduce=st.booleans(),
        kind=st.sampled_from(["STOP_MARKET", "TAKE_PROFIT_MARKET"]),
    )
    def conditional(self, who, symbol, side, steps, basis_points, working, reduce, kind):
        up = (side == "BUY") == (kind == "STOP_MARKET")
        trigger = self.last(symbol) * (10_000 + (basis_points if up else -basis_points)) // 10_000
        more = {"symbol": symbol, "working_type": working, "reduce_only": reduce, "kind": kind}
        self.try_to(self.table.stop, who, side, steps, trigger, **more)

    @rule(who=WHO, symbol=WHAT)
    def cancel_all(self, who, symbol):
        self.exchange.cancel_all(who, symbol, self.now)

    @rule(who=WHO, symbol=WHAT, steps=STEPS, basis_points=st.integers(-400, 400))
    def amend_first(self, who, symbol, steps, basis_points):
        orders = list(self.exchange.accounts[who].open_orders.get(symbol, {}))
        if orders:
            price = self.last(symbol) * (10_000 + basis_points) // 10_000
            self.try_to(
                self.exchange.amend, who, symbol, price, steps, self.now, order_id=orders[0]
            )

    @rule(who=WHO, symbol=WHAT, leverage=st.integers(1, 125))
    def leverage(self, who, symbol, leverage):
        self.try_to(self.exchange.set_leverage, who, symbol, leverage, self.now)

    @rule(who=WHO, symbol=WHAT, kind=st.sampled_from(["cross", "isolated"]))
    def margin_type(self, who, symbol, kind):
        self.try_to(self.exchange.set_margin_type, who, symbol, kind, self.now)

    @rule(who=WHO, symbol=WHAT, amount=st.integers(1, 500 * ONE), kind=st.sampled_from([1, 2]))
    def margin(self, who, symbol, amount, kind):
        self.try_to(self.exchange.change_margin, who, symbol, amount, kind, self.now)

    @rule(symbol=WHAT, basis_points=st.integers(-800, 800), volume=st.integers(0, 100_000))
    def second(self, symbol, basis_points, volume):
        price = max(self.last(symbol) * (10_000 + basis_points) // 10_000, 100)
        self.table.go(price, symbol, volume)

    @rule(symbol=WHAT, rate=st.integers(-2_000_000, 2_000_000))
    def funding(self, symbol, rate):
        mark = self.table.market.mark(symbol, self.now)
        self.table.market.fundings.append(Settlement(symbol, self.now + 500, rate, mark))
        self.table.wait(1000)

    @rule(symbol=WHAT, halted=st.sampled_from([True, False, False, False]))
    def halt(self, symbol, halted):
        self.exchange.halt("alice", symbol, self.now, halted=halted)

    @rule(ms=st.integers(1, 3000))
    def wait(self, ms):
        self.table.wait(ms)

    @invariant()
    def nothing_is_lost(self):
        self.table.check_money()

    @invariant()
    def wallets_are_explained(self):
        for account in self.exchange.accounts.values():
            assert account.wallet == sum(each.amount for each in account.incomes)
            isolated = [p.isolated_wallet for p in account.positions.values()]
            assert account.isolated_total == sum(isolated)
            assert min(isolated, default=0) >= 0

    @invariant()
    def positions_are_their_fills(self):
        realized = 0
        for account in self.exchange.accounts.values():
            for symbol, position in account.positions.items():
                fills = account.fills.get(symbol, [])
                signs = [1 if each.side == "BUY" else -1 for each in fills]
                size = sum(s * each.quantity for s, each in zip(signs, fills, strict=True))
                spent = sum(s * each.notional for s, each in zip(signs, fills, strict=True))
                assert position.size == size
                assert position.realized_total == position.cost - spent
                assert position.realized_total == sum(each.realized_pnl for each in fills)
                assert (position.cost > 0) - (position.cost < 0) == (size > 0) - (size < 0)
                assert size or not position.isolated_wallet
                assert not (position.isolated_wallet and not position.is_isolated)
                realized += position.realized_total
        assert self.exchange.floor.funds.clearing == -realized

    @invariant()
    def fees_are_what_fills_paid(self):
        paid = sum(
            each.commission
            for account in self.exchange.accounts.values()
            for fills in account.fills.values()
            for each in fills
            if not account.orders[each.order_id].auto_close
        )
        assert self.exchange.floor.funds.fees == paid

    @invariant()
    def reserved_is_what_is_open(self):
        for account in self.exchange.accounts.values():
            for symbol, position in account.positions.items():
                contract = self.exchange.contracts[symbol]
                held = {1: 0, -1: 0}
                for order in account.open_orders.get(symbol, {}).values():
                    assert order.is_open
                    assert 0 < order.remaining <= order.quantity
                    if not order.reduce_only:
                        held[order.sign] += contract.notional(order.price, order.remaining)
                assert (position.bids, position.asks) == (held[1], held[-1])
                assert (symbol in account.active) == position.is_active

    @invariant()
    def the_shelf_holds_the_open_orders(self):
        for symbol in self.exchange.contracts:
            shelf = self.exchange.floor.shelf(symbol)
            for sign, side in ((1, shelf.buys), (-1, shelf.sells)):
                on_shelf = dict(side.levels())
                wanted: dict[int, int] = {}
                for account in self.exchange.accounts.values():
                    for order in account.open_orders.get(symbol, {}).values():
                        if order.sign == sign:
                            wanted[order.price] = wanted.get(order.price, 0) + order.remaining
                assert on_shelf == wanted

    @invariant()
    def reducing_never_enlarges(self):
        for account in self.exchange.accounts.values():
            for orders in account.open_orders.values():
                for order in orders.values():
                    if order.reduce_only:
                        assert order.sign * account.position(order.symbol).size < 0 or order.filled

    @precondition(lambda self: len(self.table.log.lines) > 200)
    @rule()
    def replay_comes_to_the_same(self):
        again = replay(self.table.log.lines, self.table.contracts, self.table.specs)
        assert again.accounts == self.exchange.accounts
        assert again.floor.funds == self.exchange.floor.funds

    def teardown(self):
        numbers = [event.seq for event in self.table.events]
        assert numbers == list(range(1, len(numbers) + 1))
        self.replay_comes_to_the_same()


def some(examples, steps):
    return settings(
        max_examples=examples, stateful_step_count=steps, phases=PHASES, database=FAILED
    )


Trading.TestCase.settings = some(EXAMPLES, 40)
test_money_is_conserved = pytest.mark.timeout(280)(Trading.TestCase)


@pytest.mark.long
def test_money_is_conserved_at_length():
    run_state_machine_as_test(Trading, settings=some(150, 60))


@pytest.mark.prove
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(10))
def test_money_is_conserved_in_full(part):
    """Each part has a seed of its own, so that a run can be resumed and repeated."""
    machine = seed(part)(type("Part", (Trading,), {}))
    run_state_machine_as_test(machine, settings=some(500, 80))
