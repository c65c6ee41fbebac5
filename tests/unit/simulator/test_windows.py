"""Which candles a request means, against a list that is searched one by one."""

from hypothesis import given
from hypothesis import strategies as st

from automation.simulator.candle_endpoints import available, select
from automation.simulator.timeframes import timeframe

FRAME = timeframe("5m")
LENGTH = FRAME.length_ms
FIRST = 1000
instants = st.none() | st.integers((FIRST - 5) * LENGTH, (FIRST + 60) * LENGTH)


def naive(opens, start, end, limit):
    found = [at for at in opens if (start is None or at >= start) and (end is None or at <= end)]
    return found[:limit] if start is not None else found[-limit:]


@given(
    count=st.none() | st.integers(0, 50),
    current=st.integers(-5, 60),
    start=instants,
    end=instants,
    limit=st.integers(1, 70),
)
def test_window_equals_a_search_through_all_candles(count, current, start, end, limit):
    """`count` candles there are in all (None: no end); number FIRST + current is being made."""
    stop = None if count is None else FIRST + count
    window = available((FIRST, stop), FIRST + current)
    last = FIRST + current + 1 if stop is None else min(FIRST + current + 1, stop)
    opens = [number * LENGTH for number in range(FIRST, last)]
    low, high = select(window, FRAME, start, end, limit)
    assert [number * LENGTH for number in range(low, high)] == naive(opens, start, end, limit)


@given(count=st.integers(0, 50), current=st.integers(-5, 60))
def test_only_the_candle_of_now_moves(count, current):
    window = available((FIRST, FIRST + count), FIRST + current)
    assert window.moving == (0 <= current < count)
    assert window.closed == FIRST + max(0, min(current, count))
