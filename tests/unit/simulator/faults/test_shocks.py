"""A crash that candles of every length, the running candle and the price agree on."""

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from automation.core.clock import to_ms
from automation.simulator import open_market
from automation.simulator.candles import CLOSE, HIGH, LOW, OPEN
from automation.simulator.charts import Chart
from automation.simulator.faults.shocks import Shock, ShockedMarket, Spike
from automation.simulator.tape import Tape
from automation.simulator.timeframes import DAY_MS, HOUR_MS, MINUTE_MS, timeframe

AT_MS = to_ms(datetime(2024, 8, 5, 6, 17, tzinfo=UTC))
BTC = "BTCUSDT"
CRASH = Shock(
    frozenset({BTC}),
    (
        (AT_MS, 1.0),
        (AT_MS + 90_000, 0.8),
        (AT_MS + 120_000, 0.8),
        (AT_MS + 10 * MINUTE_MS, 1.0),
    ),
)
GAP = Shock(frozenset(), ((AT_MS, 1.0), (AT_MS, 1.1)))
FIRST_MS, LAST_MS = AT_MS - 3 * HOUR_MS, AT_MS + 3 * HOUR_MS


@pytest.fixture(scope="module")
def real(data_dir):
    return open_market(data_dir, ["BTC/USDT:USDT", "SOL/USDT:USDT"])


def shocked(market, *shocks):
    made = ShockedMarket(market)
    for shock in shocks:
        made.add(shock)
    return made


def chart(market, name, symbol=BTC, kind="trade"):
    return Chart(market, market.instruments[symbol], kind, timeframe(name), interpolates=True)


def candles(market, name, symbol=BTC, kind="trade", span=(FIRST_MS, LAST_MS)):
    made = chart(market, name, symbol, kind)
    first, stop = made.frame.number(span[0]), made.frame.number(span[1])
    return made.frame.opens(first, stop + 1), made.values(first, stop)


@pytest.fixture(params=["synthetic", "1m", "15m"])
def market(request):
    """Made up, recorded in minutes, and recorded in quarters of an hour only."""
    if request.param == "synthetic":
        return open_market(7), BTC
    return request.getfixturevalue("real"), BTC if request.param == "1m" else "SOLUSDT"


@pytest.mark.parametrize("shocks", [[CRASH], [GAP], [CRASH, GAP]])
def test_candles_of_every_length_agree(market, shocks):
    inner, symbol = market
    shocks = [Shock(frozenset({symbol}), each.corners) for each in shocks]
    bent = shocked(inner, *shocks)
    opens, minutes = candles(bent, "1m", symbol)
    for name in ("5m", "15m", "1h"):
        frame = timeframe(name)
        edges = frame.opens(frame.number(FIRST_MS) + 1, frame.number(LAST_MS))
        from_minutes = np.array(
            [
                aggregate_of(opens[:-1], minutes, int(low), int(high))
                for low, high in pairwise(edges)
            ]
        )
        _, own = candles(bent, name, symbol, span=(int(edges[0]), int(edges[-1])))
        # Older SOL candles have finer prices than today's tick.
        tick = float(inner.instruments[symbol].rules.tick)
        np.testing.assert_allclose(own[:, :4], from_minutes[:, :4], rtol=0, atol=1.001 * tick)


def aggregate_of(opens, values, low, high):
    is_in = (opens >= low) & (opens < high)
    rows = values[is_in]
    return (rows[0, OPEN], rows[:, HIGH].max(), rows[:, LOW].min(), rows[-1, CLOSE])


def test_the_fall_is_as_deep_as_said_and_over_when_said(market):
    inner, symbol = market
    crash = Shock(frozenset({symbol}), CRASH.corners)
    opens, own = candles(inner, "1m", symbol)
    _, bent = candles(shocked(inner, crash), "1m", symbol)
    ratio = bent[:, :4] / own[:, :4]
    before, after = opens[1:] <= AT_MS, opens[:-1] >= AT_MS + 10 * MINUTE_MS
    np.testing.assert_allclose(ratio[before], 1.0, rtol=1e-4)  # finer than the tick, see above
    np.testing.assert_allclose(ratio[after], 1.0, rtol=1e-4)
    assert ratio.min() == pytest.approx(0.8, abs=0.01)
    assert (bent[:, HIGH] >= bent[:, [OPEN, CLOSE]].max(axis=1)).all()
    assert (bent[:, LOW] <= bent[:, [OPEN, CLOSE]].min(axis=1)).all()


def test_the_running_price_agrees_with_the_candle_that_it_makes(market):
    inner, symbol = market
    bent = shocked(inner, Shock(frozenset({symbol}), CRASH.corners))
    tape, frame = Tape(bent, bent.instruments[symbol]), timeframe("5m")
    start = frame.open_ms(frame.number(AT_MS + 60_000))
    prices = [tape.price(at) for at in range(start, start + 5 * MINUTE_MS, 1000)]
    _, rows = candles(bent, "5m", symbol, span=(start, start + 5 * MINUTE_MS))
    assert rows[0, LOW] <= min(prices) <= rows[0, LOW] * 1.02
    assert rows[0, HIGH] >= max(prices)
    assert prices[0] == pytest.approx(rows[0, OPEN])
    moving = tape.moving("trade", start, start + 5 * MINUTE_MS - 1)
    np.testing.assert_allclose(moving[:4], rows[0, :4], rtol=1e-3)


def test_mark_and_index_follow_as_far_as_the_shock_says():
    inner = open_market(7)
    half = Shock(frozenset({BTC}), ((AT_MS, 1.0), (AT_MS, 0.8)), mark_share=0.5)
    bent = shocked(inner, half)
    after = np.array([AT_MS + HOUR_MS], np.int64)
    price = Tape(bent, bent.instruments[BTC]).price(int(after[0]))
    own = Tape(inner, inner.instruments[BTC]).price(int(after[0]))
    assert price == pytest.approx(0.8 * own, rel=1e-5)
    mark = price * bent.ratio(BTC, "mark", after)[0]
    assert mark == pytest.approx(0.9 * own * inner.ratio(BTC, "mark", after)[0], rel=1e-5)
    span = (AT_MS + HOUR_MS, AT_MS + 2 * HOUR_MS)
    _, marks = candles(bent, "1m", kind="mark", span=span)
    assert marks[0, OPEN] == pytest.approx(mark, rel=1e-3)


def test_stored_mark_candles_are_bent_like_the_trades(real):
    span = (AT_MS // HOUR_MS * HOUR_MS, AT_MS // HOUR_MS * HOUR_MS + HOUR_MS)
    _, own = candles(real, "1h", kind="mark", span=span)
    _, bent = candles(shocked(real, CRASH), "1h", kind="mark", span=span)
    assert bent[0, LOW] / own[0, LOW] == pytest.approx(
        0.8, abs=0.03
    )  # the own low was at another minute
    assert bent[0, OPEN] == pytest.approx(own[0, OPEN], rel=1e-3)


def test_other_symbols_and_far_times_are_the_markets_own(market):
    inner, symbol = market
    bent = shocked(inner, Shock(frozenset({"ETHUSDT"}), CRASH.corners))
    for kind in ("trade", "mark"):
        np.testing.assert_array_equal(
            candles(bent, "5m", symbol, kind)[1], candles(inner, "5m", symbol, kind)[1]
        )
    crashed = shocked(inner, Shock(frozenset({symbol}), CRASH.corners))
    span = (AT_MS + DAY_MS, AT_MS + 2 * DAY_MS)
    np.testing.assert_array_equal(
        candles(crashed, "5m", symbol, span=span)[1], candles(inner, "5m", symbol, span=span)[1]
    )


def test_a_lifted_gap_leaves_the_past_and_frees_the_future():
    bent = shocked(open_market(7), GAP)
    bent.remove(GAP, AT_MS + HOUR_MS)
    tape, own = (Tape(m, m.instruments[BTC]) for m in (bent, bent.inner))
    inside, later = AT_MS + HOUR_MS // 2, AT_MS + HOUR_MS + 1000
    assert tape.price(inside) == pytest.approx(1.1 * own.price(inside), rel=1e-5)
    assert tape.price(later) == own.price(later)


def test_funding_is_replaced_while_a_spike_lasts():
    bent = ShockedMarket(open_market(7))
    day = AT_MS // DAY_MS * DAY_MS
    bent.spike(Spike(frozenset({BTC}), day + HOUR_MS, day + 9 * HOUR_MS, 0.01))
    own = bent.inner.funding(BTC, day, day + DAY_MS).rate
    rates = bent.funding(BTC, day, day + DAY_MS).rate
    assert [rates[0], rates[1], rates[2]] == [own[0], 0.01, own[2]]
    assert (bent.funding("ETHUSDT", day, day + DAY_MS).rate != 0.01).all()
