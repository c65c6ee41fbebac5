"""The order in which numpy's quicksort puts equal keys.

pandas sorts dates with numpy's generic introsort, which is not stable; Freqtrade's MaxDrawdown sums
trades in that order, so trades closed on one candle are summed in it too. The same steps are taken
here (numpy/_core/src/npysort/quicksort.cpp, aquicksort_); `matches_numpy` compares both, and where
they differ MaxDrawdown is left to Freqtrade.
"""

from functools import cache

import numpy as np

from automation.worker.kernel.compiled import compiled
from automation.worker.kernel.layout import Ints, Records

SMALL = 15  # numpy's SMALL_QUICKSORT: up to here, insertion sort
DEEPEST = 128  # numpy's PYA_QS_STACK


@compiled
def close_order(trades: Records, order: Ints) -> bool:
    """Sort `order` (indices of trades) by the candle of their close; False where numpy changes method."""
    keys = np.empty(order.size, dtype=np.int64)
    for k in range(order.size):
        keys[k] = trades[order[k]]["closed"]
    places = np.arange(order.size)
    if not quicksort(keys, places):
        return False
    first = order[0]
    for k in range(order.size):
        order[k] = first + places[k]
    return True


@compiled
def quicksort(keys: Ints, places: Ints) -> bool:
    """Sort `places` by `keys` as numpy does; False where numpy would turn to heapsort."""
    stack = np.empty((DEEPEST, 3), dtype=np.int64)
    waiting = 0
    left, right = 0, keys.size - 1
    depth = 2 * most_significant_bit(keys.size)
    while True:
        if depth < 0:
            return False
        while right - left > SMALL:
            pivot = partition(keys, places, left, right)
            depth -= 1
            stack[waiting, 2] = depth
            if pivot - left < right - pivot:
                stack[waiting, 0], stack[waiting, 1] = pivot + 1, right
                right = pivot - 1
            else:
                stack[waiting, 0], stack[waiting, 1] = left, pivot - 1
                left = pivot + 1
            waiting += 1
        insertion_sort(keys, places, left, right)
        if waiting == 0:
            return True
        waiting -= 1
        left, right, depth = stack[waiting, 0], stack[waiting, 1], stack[waiting, 2]


@compiled
def most_significant_bit(number: int) -> int:
    """Return the place of the highest bit that is set."""
    place = 0
    while number > 1:
        number >>= 1
        place += 1
    return place


@compiled
def order_two(keys: Ints, places: Ints, low: int, high: int) -> None:
    """Swap two places if the second key is smaller."""
    if keys[places[high]] < keys[places[low]]:
        places[low], places[high] = places[high], places[low]


@compiled
def partition(keys: Ints, places: Ints, left: int, right: int) -> int:
    """Part the range around the median of three; return the pivot's place."""
    middle = left + ((right - left) >> 1)
    order_two(keys, places, left, middle)
    order_two(keys, places, middle, right)
    order_two(keys, places, left, middle)
    pivot = keys[places[middle]]
    up, down = left, right - 1
    places[middle], places[down] = places[down], places[middle]
    while True:
        up += 1
        while keys[places[up]] < pivot:
            up += 1
        down -= 1
        while pivot < keys[places[down]]:
            down -= 1
        if up >= down:
            break
        places[up], places[down] = places[down], places[up]
    places[up], places[right - 1] = places[right - 1], places[up]
    return up


@compiled
def insertion_sort(keys: Ints, places: Ints, left: int, right: int) -> None:
    """Sort a short range, equal keys in place."""
    for k in range(left + 1, right + 1):
        place = places[k]
        key = keys[place]
        to = k
        while to > left and key < keys[places[to - 1]]:
            places[to] = places[to - 1]
            to -= 1
        places[to] = place


@cache
def matches_numpy(seed: int = 0) -> bool:
    """Tell whether the installed numpy orders equal dates as `quicksort` does (200 samples)."""
    random = np.random.default_rng(seed)
    for _ in range(200):
        size = int(random.integers(2, 200))
        keys = np.sort(random.integers(0, max(2, size // 3), size))
        places = np.arange(size)
        if not quicksort(keys, places) or (keys.astype("M8[s]").argsort() != places).any():
            return False
    return True
