"""PackStrategy's callbacks over Freqtrade's own DataProvider, LocalTrade and stop logic."""

import math
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import CandleType, RunMode
from freqtrade.persistence import LocalTrade, disable_database_use, enable_database_use
from freqtrade.strategy import IStrategy
from hypothesis import given
from hypothesis import strategies as st

from tradekit import sizing
from tradekit.base import PackStrategy
from tradekit.signals import RISK_COLUMNS, Rule

PAIR = "BTC/USDT:USDT"


@pytest.fixture(autouse=True)
def no_database():
    """Open trades live in Freqtrade's memory, as in a backtest."""
    disable_database_use("5m")
    LocalTrade.reset_trades()
    yield
    LocalTrade.reset_trades()
    enable_database_use()


NOW = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
TIMEFRAME = timedelta(minutes=5)
RISK = {"stop_dist_frac": 0.02, "leverage_cap": 4.0, "risk_scale": 1.0}


class Plain(PackStrategy):
    """Enters on every row; its risk columns are those of the test."""

    def columns(self, candles):
        return {name: np.full(len(candles["close"]), value) for name, value in RISK.items()}

    @staticmethod
    def entries(c, p):  # noqa: ARG004
        return [Rule("long", "always", c["close"] > 0)]

    @staticmethod
    def exits(c, p):  # noqa: ARG004
        return [Rule("short", "always_too", c["close"] > 0)]


def frame_of(last=None, rows=5, until=NOW - TIMEFRAME):
    """Make candles of which the last opened at `until`, its risk columns changed by `last`."""
    dates = pd.date_range(end=until, periods=rows, freq="5min")
    frame = pd.DataFrame({"date": dates})
    for name in ("open", "high", "low", "close", "volume"):
        frame[name] = 100.0
    for name, value in RISK.items():
        frame[name] = 0.5 if name != "leverage_cap" else 1.5
        frame.loc[frame.index[-1], name] = (last or {}).get(name, value)
    return frame


def bot(frame=None, runmode=RunMode.DRY_RUN, equity=10_000.0):
    """Build a strategy with a real data provider that holds `frame`."""
    config = {"runmode": runmode, "candle_type_def": CandleType.FUTURES, "timeframe": "5m"}
    strategy = Plain(config)
    strategy.dp = DataProvider(config, None)
    strategy.wallets = SimpleNamespace(get_total_stake_amount=lambda: equity)
    book = {"bids": [[99.99, 1e6]], "asks": [[100.01, 1e6]]}
    strategy.dp.orderbook = lambda *_: book
    if frame is not None:
        strategy.dp._set_cached_df(PAIR, "5m", frame, CandleType.FUTURES)
        strategy.dp._set_dataframe_max_index(PAIR, len(frame))
    return strategy


def leverage_of(strategy, now=NOW, most=125.0):
    return strategy.leverage(PAIR, now, 100.0, 1.0, most, "always", "long")


def stake_of(strategy, now=NOW, **changes):
    numbers = {"proposed_stake": 3_300.0, "min_stake": 5.0, "max_stake": 9_900.0, "leverage": 4.0}
    return strategy.custom_stake_amount(
        pair=PAIR, current_time=now, current_rate=100.0, entry_tag="always", side="long",
        **(numbers | changes),
    )  # fmt: skip


def confirmed_by(strategy, now=NOW, amount=1.0, rate=100.0):
    return strategy.confirm_trade_entry(PAIR, "limit", amount, rate, "GTC", now, "a", "long")


def test_the_callbacks_use_the_last_row():
    strategy = bot(frame_of())
    assert leverage_of(strategy) == 4.0
    # 10,000 · 0.5 % / (2 % + 0.12 %) / 4
    assert stake_of(strategy) == pytest.approx(50 / 0.0212 / 4)
    assert confirmed_by(strategy)


def test_in_a_backtest_the_slice_ends_at_the_signal_candle():
    frame = pd.concat([frame_of(), frame_of({"leverage_cap": 1.0}, 1, NOW)], ignore_index=True)
    strategy = bot(frame, RunMode.BACKTEST)
    strategy.dp._set_dataframe_max_index(PAIR, 5)
    assert leverage_of(strategy) == 4.0
    strategy.dp._set_dataframe_max_index(PAIR, 6)
    strategy.bot_loop_start(NOW)
    assert leverage_of(strategy) == 1.0  # a candle that is not closed yet is not looked at
    assert stake_of(strategy) == 0.0


def test_a_backtest_reads_a_candle_once_and_the_next_one_anew(monkeypatch):
    asked = []
    strategy = bot(frame_of(), runmode=RunMode.BACKTEST)
    read = DataProvider.get_analyzed_dataframe

    def counted(data, pair, timeframe):
        asked.append(pair)
        return read(data, pair, timeframe)

    monkeypatch.setattr(DataProvider, "get_analyzed_dataframe", counted)
    strategy.bot_loop_start(NOW)
    assert leverage_of(strategy) == 4.0
    assert stake_of(strategy) > 0.0
    assert confirmed_by(strategy)
    assert asked == [PAIR]
    # the same candle of another backtest, and of another pair
    strategy.dp._set_cached_df(PAIR, "5m", frame_of({"leverage_cap": 2.0}), CandleType.FUTURES)
    strategy.bot_loop_start(NOW)
    assert leverage_of(strategy) == 2.0
    assert math.isnan(strategy._signal_number("ETH/USDT:USDT", NOW, "close"))
    assert leverage_of(strategy) == 2.0
    assert leverage_of(strategy, now=NOW + 3 * TIMEFRAME) == 1.0  # stale by then
    assert asked == [PAIR, PAIR, "ETH/USDT:USDT", PAIR, PAIR]


def test_a_running_bot_always_reads_anew():
    strategy = bot(frame_of())
    assert leverage_of(strategy) == 4.0
    strategy.dp._set_cached_df(PAIR, "5m", frame_of({"leverage_cap": 2.0}), CandleType.FUTURES)
    assert leverage_of(strategy) == 2.0


def test_the_stop_bounds_the_leverage():
    # half the way to liquidation: 1 / (0.1 · (1 + 1/20) / 0.5 + 1/20) = 3.85, and whole
    strategy = bot(frame_of({"stop_dist_frac": 0.1, "leverage_cap": 5.0}))
    assert leverage_of(strategy, most=20.0) == 3.0


@pytest.mark.parametrize("column", RISK_COLUMNS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.0, -1.0, None, "text"])
def test_a_bad_value_means_no_entry(column, value):
    frame = frame_of()
    frame[column] = frame[column].astype(object)
    frame.at[frame.index[-1], column] = value
    strategy = bot(frame)
    assert leverage_of(strategy) >= 1.0
    assert stake_of(strategy) == 0.0
    assert not confirmed_by(strategy)


@pytest.mark.parametrize(
    "frame",
    [
        None,
        pd.DataFrame(),
        frame_of().drop(columns="date"),
        *(frame_of().drop(columns=name) for name in RISK_COLUMNS),
        frame_of(until=NOW),
        frame_of(until=NOW - 3 * TIMEFRAME),
    ],
    ids=["no frame", "empty", "no date", *RISK_COLUMNS, "candle not closed", "stale candle"],
)
@pytest.mark.parametrize("runmode", [RunMode.BACKTEST, RunMode.LIVE])
def test_missing_data_means_no_entry(frame, runmode):
    strategy = bot(frame, runmode)
    assert leverage_of(strategy) >= 1.0
    assert stake_of(strategy) == 0.0
    assert not confirmed_by(strategy)


def test_without_data_provider_or_wallets_nothing_is_entered():
    strategy = Plain({})
    assert leverage_of(strategy) == 1.0
    assert stake_of(strategy) == 0.0
    assert not confirmed_by(strategy)
    strategy = bot(frame_of())
    strategy.wallets = None
    assert stake_of(strategy) == 0.0


@pytest.mark.parametrize("equity", [0.0, -5.0, math.nan, math.inf])
def test_without_equity_there_is_no_stake(equity):
    assert stake_of(bot(frame_of(), equity=equity)) == 0.0


def test_a_forced_leverage_above_the_cap_gets_no_stake():
    assert stake_of(bot(frame_of()), leverage=4.01) == 0.0
    assert stake_of(bot(frame_of()), leverage=math.nan) == 0.0


def test_a_stop_that_no_leverage_makes_safe_gets_no_stake():
    # half the way to liquidation at leverage 1 is (1 − 2.5 %) / (1 + 2.5 %) / 2 = 47.6 %
    far = bot(frame_of({"stop_dist_frac": 0.48}))
    assert leverage_of(far) == 1.0
    assert stake_of(far, leverage=1.0) == 0.0
    assert stake_of(bot(frame_of({"stop_dist_frac": 0.47})), leverage=1.0) > 0.0


@given(
    st.floats(0.001, 0.2), st.floats(1, 20), st.floats(0.01, 1), st.floats(1, 125),
    st.floats(1, 1e5), st.floats(0, 1e4), st.floats(1, 1e5), st.floats(10, 1e7),
)  # fmt: skip
def test_stake_and_leverage_respect_every_limit(
    stop, cap, scale, most, proposed, least, highest, equity
):
    risk_columns = {"stop_dist_frac": stop, "leverage_cap": cap, "risk_scale": scale}
    strategy = bot(frame_of(risk_columns), equity=equity)
    leverage = leverage_of(strategy, most=most)
    safe = sizing.liquidation_safe_leverage(stop, 1 / most, strategy.liquidation_margin_frac)
    assert 1.0 <= leverage <= max(min(cap, most, safe), 1.0)
    stake = stake_of(
        strategy, leverage=leverage, proposed_stake=proposed, min_stake=least, max_stake=highest
    )
    assert stake == 0.0 or least <= stake <= min(proposed, highest)
    assert stake * leverage * stop <= equity * strategy.risk_per_trade_frac * scale * (1 + 1e-9)


def test_exits_are_never_refused():
    assert Plain.confirm_trade_exit is IStrategy.confirm_trade_exit


def trade_of(is_short=False, leverage=4.0, trade_id=1, opened=NOW):
    return LocalTrade(
        id=trade_id, pair=PAIR, base_currency="BTC", stake_currency="USDT", open_rate=100.0,
        amount=10.0, stake_amount=250.0, open_date=opened, fee_open=0.0005, fee_close=0.0005,
        is_open=True, is_short=is_short, leverage=leverage, exchange="binance",
        trading_mode="futures", price_precision=2, precision_mode=2, precision_mode_price=2,
    )  # fmt: skip


def move_stop(strategy, trade, rate, *, after_fill=False):
    """Let Freqtrade itself move the stop at `rate`, as it does on a fill and on every candle."""
    strategy._ft_stop_uses_after_fill = True
    strategy.ft_stoploss_adjust(
        rate, trade, NOW, trade.calc_profit_ratio(rate), 0, after_fill=after_fill
    )
    return trade.stop_loss


@pytest.mark.parametrize(("is_short", "stop"), [(False, 98.0), (True, 102.0)])
def test_the_stop_is_fixed_by_the_entry(is_short, stop):
    strategy = bot(frame_of(), RunMode.BACKTEST)
    assert confirmed_by(strategy)
    trade = trade_of(is_short)
    assert move_stop(strategy, trade, 100.0, after_fill=True) == pytest.approx(stop)
    later = frame_of({"stop_dist_frac": 0.001})
    strategy.dp._set_cached_df(PAIR, "5m", later, CandleType.FUTURES)
    for rate in (101.0, 99.5, 103.0 if not is_short else 97.0):
        assert move_stop(strategy, trade, rate) == pytest.approx(stop)
    assert not trade.is_stop_loss_trailing


@given(st.lists(st.floats(95.0, 120.0), min_size=1, max_size=20), st.booleans())
def test_a_trailing_stop_only_ratchets(rates, is_short):
    strategy = bot(frame_of(), RunMode.BACKTEST)
    strategy.trail_after_r, strategy.trail_dist_r = 1.0, 1.0
    confirmed_by(strategy)
    trade = trade_of(is_short)
    stops = [move_stop(strategy, trade, 100.0, after_fill=True)]
    stops += [move_stop(strategy, trade, 200.0 - rate if is_short else rate) for rate in rates]
    assert stops == sorted(stops, reverse=is_short)
    best = max(100.0, *rates)
    expected = 98.0 if best < 102.0 else max(98.0, best - 2.0)
    assert abs(stops[-1] - (200.0 - expected if is_short else expected)) <= 0.0101


def test_a_second_fill_does_not_loosen_the_stop():
    strategy = bot(frame_of(), RunMode.BACKTEST)
    confirmed_by(strategy)
    trade = trade_of()
    move_stop(strategy, trade, 100.0, after_fill=True)
    trade.adjust_stop_loss(100.0, -0.04)  # 1 % of price at leverage 4
    assert move_stop(strategy, trade, 100.0, after_fill=True) == pytest.approx(99.0)


def test_a_price_beyond_the_stop_leaves_at_once():
    strategy = bot(frame_of(), RunMode.BACKTEST)
    confirmed_by(strategy)
    trade = trade_of()
    assert move_stop(strategy, trade, 97.0, after_fill=True) >= 97.0


def test_every_trade_has_the_stop_of_its_own_entry():
    strategy = bot(frame_of(), RunMode.BACKTEST)
    for trade_id, distance in ((1, 0.02), (2, 0.03), (1, 0.04)):  # ids start anew in each epoch
        frame = frame_of({"stop_dist_frac": distance})
        strategy.dp._set_cached_df(PAIR, "5m", frame, CandleType.FUTURES)
        strategy.bot_loop_start(NOW)
        confirmed_by(strategy)
        trade = trade_of(trade_id=trade_id)
        stop = move_stop(strategy, trade, 100.0, after_fill=True)
        assert stop == pytest.approx(100 * (1 - distance))


@pytest.mark.parametrize(
    ("frame", "distance"),
    [
        (frame_of({"stop_dist_frac": 0.03}), 0.03),  # the candle before the entry is still there
        (frame_of({"stop_dist_frac": math.nan}), PackStrategy.least_stop_frac),
        (frame_of(until=NOW + 20 * TIMEFRAME), PackStrategy.least_stop_frac),  # no longer there
        (None, PackStrategy.least_stop_frac),
    ],
)
def test_a_restarted_bot_finds_the_stop_again_or_takes_the_nearest(frame, distance):
    strategy = bot(frame, RunMode.BACKTEST)
    trade = trade_of(opened=NOW + timedelta(seconds=7))
    stop = move_stop(strategy, trade, 100.0, after_fill=True)
    assert stop == pytest.approx(100 * (1 - distance))


def test_exit_signals_need_no_risk_columns():
    frame = frame_of().drop(columns=list(RISK_COLUMNS))
    found = bot().populate_exit_trend(frame, {"pair": PAIR})
    assert (found["exit_short"] == 1).all()
    assert (found["exit_tag"] == "always_too").all()
    assert (found["exit_long"] == 0).all()


def test_entry_signals_carry_their_tag_and_need_volume():
    strategy = bot()
    frame = frame_of()[["date", "open", "high", "low", "close", "volume"]]
    frame.loc[2, "volume"] = 0.0
    found = strategy.populate_entry_trend(
        strategy.populate_indicators(frame, {"pair": PAIR}), {"pair": PAIR}
    )
    assert found["enter_long"].tolist() == [1, 1, 0, 1, 1]
    assert found["enter_tag"].fillna("").tolist() == ["always", "always", "", "always", "always"]
