"""The whole way from columns to a stake: within every constraint, monotone, and told why."""

import logging
import math
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import CandleType, RunMode
from freqtrade.persistence import LocalTrade, disable_database_use, enable_database_use
from hypothesis import given
from hypothesis import strategies as st

from tradekit import edge, tails
from tradekit.base import PackStrategy
from tradekit.edge import Edge
from tradekit.signals import Rule

PAIR = "BTC/USDT:USDT"
NOW = datetime(2025, 9, 1, 12, 0, tzinfo=UTC)
CANDLE = timedelta(minutes=5)
PROFILES = ["conservative", "moderate", "aggressive"]


class Plain(PackStrategy):
    """Enters on every row; stop, volatility and calm are what the test says."""

    drawn = (0.02, 0.03, 1.0)

    def columns(self, candles):
        stop, volatility, calm = (np.full(len(candles["close"]), value) for value in self.drawn)
        return self.risk_columns(candles, volatility, stop, calm)

    @staticmethod
    def entries(c, p):  # noqa: ARG004
        return [Rule("long", "always", c["close"] > 0)]

    @staticmethod
    def exits(c, p):  # noqa: ARG004
        return []


@pytest.fixture(autouse=True, scope="module")
def memory():
    """No trade is open: Freqtrade's memory as in a backtest."""
    disable_database_use("5m")
    LocalTrade.reset_trades()
    yield
    LocalTrade.reset_trades()
    enable_database_use()


def bot(drawn=(0.02, 0.03, 1.0), known=None, profile="moderate", equity=10_000.0, **config):
    config = {"runmode": RunMode.BACKTEST, **config}
    config |= {"candle_type_def": CandleType.FUTURES, "timeframe": "5m"}
    config["freqfleet"] = {"profile": profile}
    strategy = Plain(config)
    strategy.drawn, strategy.edge = drawn, known
    strategy.dp = DataProvider(config, None)
    strategy.wallets = SimpleNamespace(get_total_stake_amount=lambda: equity)
    frame = pd.DataFrame({"date": pd.date_range(end=NOW - CANDLE, periods=3, freq="5min")})
    frame = frame.assign(open=100.0, high=100.0, low=100.0, close=100.0, volume=1.0)
    analysed = strategy.populate_indicators(frame, {"pair": PAIR})
    strategy.dp._set_cached_df(PAIR, "5m", analysed, CandleType.FUTURES)
    strategy.dp._set_dataframe_max_index(PAIR, len(analysed))
    return strategy


def sized(strategy, proposed=9e9, least=5.0, most=9e9):
    """Return the leverage and the stake of an entry."""
    leverage = strategy.leverage(PAIR, NOW, 100.0, 1.0, 125.0, None, "long")
    return leverage, strategy.custom_stake_amount(
        PAIR, NOW, 100.0, proposed, least, most, leverage, None, "long"
    )


stops = st.floats(0.008, 0.05)
volatilities = st.floats(0.005, 0.3)
calms = st.floats(0.25, 1.0)
equities = st.floats(100.0, 1e7)
edges = st.builds(
    Edge, st.floats(0.0, 1.0), st.floats(0.2, 5.0), st.integers(1, 5_000), st.just("2025-07-01")
)


@given(
    stops, volatilities, calms, edges, equities, st.sampled_from(PROFILES),
    st.floats(1.0, 1e7), st.floats(0.0, 500.0), st.floats(1.0, 1e7),
)  # fmt: skip
def test_the_stake_is_within_every_constraint(
    stop, volatility, calm, known, equity, profile, proposed, least, most
):
    strategy = bot((stop, volatility, calm), known, profile, equity)
    leverage, stake = sized(strategy, proposed, least, most)
    limits, slack = strategy.profile, 1 + 1e-9
    at_risk = stake * leverage * (stop + strategy.cost_frac)
    assert at_risk <= equity * limits.risk_per_trade_frac * calm * slack
    assert at_risk <= equity * edge.kelly_of(known) * strategy.kelly_part * calm * slack
    assert at_risk <= equity * limits.open_risk_frac * slack
    at_var = stake * leverage * tails.NORMAL_99 * volatility
    assert at_var <= equity * limits.var_frac * slack
    assert stake * leverage <= equity * limits.exposure_cap * slack
    assert stake <= min(proposed, most)
    assert stake == 0.0 or stake >= least
    assert 1.0 <= leverage <= limits.highest_leverage
    assert stop < 0.5 / leverage  # half of the way to liquidation at most


@given(stops, st.floats(1.0, 3.0), volatilities, edges)
def test_a_wider_stop_never_gets_more(stop, factor, volatility, known):
    near, far = (
        math.prod(sized(bot((distance, volatility, 1.0), known), least=0.0))
        for distance in (stop, min(stop * factor, 0.05))
    )
    # the budget of value at risk does not look at the stop; everything else shrinks with it
    assert far <= near * (1 + 1e-9)


@given(equities, st.floats(1.0, 3.0), edges)
def test_more_equity_never_gets_less(equity, factor, known):
    poor, rich = (sized(bot(known=known, equity=e))[1] for e in (equity, equity * factor))
    assert poor <= rich * (1 + 1e-9)


@given(st.floats(0.0, 0.9), st.floats(0.0, 0.1), st.floats(0.2, 5.0), st.integers(1, 5_000))
def test_a_better_edge_never_gets_less(win, better, payoff, trades):
    worse = Edge(win, payoff, trades, "2025-07-01")
    stakes = [
        sized(bot(known=known))[1] for known in (worse, worse._replace(win_frac=win + better))
    ]
    assert stakes[0] <= stakes[1]
    more = sized(bot(known=worse._replace(trades=2 * trades)))[1]
    assert stakes[0] <= more


def test_no_edge_no_stake_and_no_signal():
    strategy = bot(known=Edge(0.3, 1.0, 1_000, "2025-07-01"))
    assert sized(strategy)[1] == 0.0
    frame, _ = strategy.dp.get_analyzed_dataframe(PAIR, "5m")
    assert not strategy.populate_entry_trend(frame, {})["enter_long"].any()


@pytest.mark.parametrize(
    ("drawn", "known", "limits", "bound"),
    [
        ((0.02, 0.01, 1.0), None, {}, "risk per trade"),
        ((0.02, 0.2, 1.0), None, {}, "value at risk"),
        ((0.02, 0.01, 1.0), Edge(0.34, 2.0, 500, "2025-07-01"), {}, "Kelly"),
        ((0.02, 0.01, 1.0), None, {"proposed": 50.0}, "Freqtrade's proposal"),
        ((0.02, 0.01, 1.0), None, {"most": 40.0}, "exchange maximum"),
        ((0.02, 0.01, 1.0), None, {"least": 9_000.0}, "exchange minimum"),
    ],
)
def test_the_log_names_what_bound(caplog, drawn, known, limits, bound):
    with caplog.at_level(logging.DEBUG, logger="tradekit.base"):
        strategy = bot(drawn, known)
        _, stake = sized(strategy, **limits)
    assert f"bound by {bound}" in caplog.text
    told = strategy._breakdowns[PAIR]
    assert told["bound_by"] == bound
    assert told["stake"] == pytest.approx(stake, abs=0.01)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0, 0.0])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_number_that_is_none_gets_nothing(bad, place):
    drawn = [0.02, 0.03, 1.0]
    drawn[place] = bad
    leverage, stake = sized(bot(tuple(drawn)))
    if (bad, place) != (math.inf, 2):  # infinitely calm is calm: other limits bind
        assert stake == 0.0
    assert leverage >= 1.0


def test_a_strategy_without_an_edge_says_so(caplog):
    class Spent(Plain):
        edge = Edge(0.3, 1.0, 1_000, "2025-07-01")

    Spent({"runmode": RunMode.DRY_RUN, "timeframe": "5m"})
    (told,) = (record.getMessage() for record in caplog.records)  # once
    assert "Spent: no entry on candles from 2025-07-01 on: 1000 trades showed no edge" in told
    assert "configs/kelly-off.json (freqfleet.edge: null)" in told
    caplog.clear()
    Spent({"runmode": RunMode.DRY_RUN, "timeframe": "5m", "freqfleet": {"edge": None}})
    assert not caplog.records
