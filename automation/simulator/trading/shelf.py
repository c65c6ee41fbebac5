"""Resting orders of one symbol in price-time priority, and the conditional ones by trigger.

Decides which order is next. Refuses to know accounts and money. Called by `matching` and
`conditional`.
"""

from bisect import bisect_left, insort
from collections import deque
from operator import itemgetter

from automation.simulator.trading.orders import AlgoOrder, Order

Levels = tuple[tuple[int, int], ...]


class Side:
    """Orders of one side: `sign` 1 for buys, where the highest price is best, -1 for sells."""

    def __init__(self, sign: int) -> None:
        """Nothing rests."""
        self._sign = sign
        self._keys: list[int] = []  # price times sign, ascending: the best is the last
        self._queues: dict[int, deque[Order]] = {}

    def add(self, order: Order) -> None:
        """Put an order behind those of its price."""
        key = order.price * self._sign
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = deque()
            insort(self._keys, key)
        queue.append(order)

    def remove(self, order: Order) -> None:
        """Take an order away."""
        key = order.price * self._sign
        queue = self._queues[key]
        if queue[0] is order:
            queue.popleft()
        else:
            queue.remove(order)
        if not queue:
            del self._queues[key]
            self._keys.pop(bisect_left(self._keys, key))

    @property
    def best(self) -> int | None:
        """Best price; None if nothing rests."""
        return self._keys[-1] * self._sign if self._keys else None

    def at_best(self) -> Order:
        """The order that is next."""
        return self._queues[self._keys[-1]][0]

    def reached(self, price: int) -> list[Order]:
        """Orders at `price` or better, in priority."""
        found: list[Order] = []
        for key in reversed(self._keys):
            if key < price * self._sign:
                break
            found.extend(self._queues[key])
        return found

    def levels(self) -> list[tuple[int, int]]:
        """Price and open quantity of each level, best first."""
        return [
            (key * self._sign, sum(order.remaining for order in self._queues[key]))
            for key in reversed(self._keys)
        ]


class Triggers:
    """Conditional orders of one price and direction, sorted by trigger."""

    def __init__(self, *, rising: bool) -> None:
        """Nothing waits."""
        self._sign = 1 if rising else -1
        self._waiting: list[tuple[int, int, AlgoOrder]] = []

    def add(self, algo: AlgoOrder, trigger: int) -> None:
        """Wait for a trigger, in the unit of the price that is watched."""
        insort(self._waiting, (trigger * self._sign, algo.algo_id, algo), key=itemgetter(0, 1))

    def remove(self, algo: AlgoOrder, trigger: int) -> None:
        """Wait no longer."""
        key = (trigger * self._sign, algo.algo_id)
        place = bisect_left(self._waiting, key, key=itemgetter(0, 1))
        if place < len(self._waiting) and self._waiting[place][2] is algo:
            self._waiting.pop(place)

    @property
    def next(self) -> int | None:
        """The trigger that is met first; None if nothing waits."""
        return self._waiting[0][0] * self._sign if self._waiting else None

    def met(self, price: int) -> list[AlgoOrder]:
        """Orders whose trigger a price has reached, the nearest first."""
        return [algo for key, _, algo in self._waiting if key <= price * self._sign]


class Shelf:
    """All that waits in one symbol."""

    def __init__(self) -> None:
        """Nothing waits."""
        self.buys, self.sells = Side(1), Side(-1)
        self.traded = Triggers(rising=True), Triggers(rising=False)
        self.marked = Triggers(rising=True), Triggers(rising=False)
        self.taken: dict[int, dict[int, int]] = {1: {}, -1: {}}
        """Modelled quantity used up in `_second`, by sign of the taker and price."""
        self._second = -1
        self._passed: dict[int, tuple[Levels, int]] = {1: ((), 0), -1: ((), 0)}
        self.version = 0
        """Grows with every change of what the market could hit."""

    def taken_in(self, second: int, sign: int) -> dict[int, int]:
        """Modelled quantity that takers of one side used up in a second, by price."""
        if second != self._second:
            self._second, self.taken = second, {1: {}, -1: {}}
            self._passed = {1: ((), 0), -1: ((), 0)}
        return self.taken[sign]

    def first_left(self, levels: Levels, sign: int) -> int:
        """Place of the first level that is not used up; remembered while the levels stay."""
        known, place = self._passed[sign]
        if known is not levels:
            place = 0
        taken, count = self.taken[sign], len(levels)
        while place < count and taken.get(levels[place][0], 0) >= levels[place][1]:
            place += 1
        self._passed[sign] = levels, place
        return place

    def side(self, sign: int) -> Side:
        """Buys for 1, sells for -1."""
        return self.buys if sign > 0 else self.sells

    def triggers(self, algo: AlgoOrder) -> Triggers:
        """Where a conditional order waits."""
        watched = self.marked if algo.request.working_type == "MARK_PRICE" else self.traded
        return watched[0 if algo.fires_when_rising else 1]
