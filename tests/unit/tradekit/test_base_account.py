"""PackStrategy over the account: the ladder, room, prices, slices, the book, and a restart."""

import math
import os
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import CandleType, RunMode
from freqtrade.exceptions import ConfigurationError, ExchangeError
from freqtrade.persistence import (
    LocalTrade,
    Trade,
    disable_database_use,
    enable_database_use,
    init_db,
)

from tradekit import ladder
from tradekit.base import PackStrategy
from tradekit.signals import Rule

PAIR, OTHER = "BTC/USDT:USDT", "ETH/USDT:USDT"
NOW = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
CANDLE = timedelta(minutes=5)
RISK = {"stop_dist_frac": 0.02, "leverage_cap": 4.0, "risk_scale": 1.0}


class Plain(PackStrategy):
    """Enters on every row with the risk columns above."""

    def columns(self, candles):
        return {name: np.full(len(candles["close"]), value) for name, value in RISK.items()}

    @staticmethod
    def entries(c, p):  # noqa: ARG004
        return [Rule("long", "always", c["close"] > 0)]

    @staticmethod
    def exits(c, p):  # noqa: ARG004
        return []


@pytest.fixture
def memory():
    """Open trades live in Freqtrade's memory, as in a backtest."""
    disable_database_use("5m")
    LocalTrade.reset_trades()
    yield
    LocalTrade.reset_trades()
    enable_database_use()


def candles(close=100.0, until=NOW - CANDLE, volume=1_000.0):
    frame = pd.DataFrame({"date": pd.date_range(end=until, periods=20, freq="5min")})
    return frame.assign(open=close, high=close, low=close, close=close, volume=volume)


def bot(runmode=RunMode.BACKTEST, equity=10_000.0, close=100.0, volume=1_000.0, **config):
    """Build a strategy whose analysed candles of both pairs end just before NOW."""
    config |= {"runmode": runmode, "candle_type_def": CandleType.FUTURES, "timeframe": "5m"}
    strategy = Plain(config)
    strategy.position_adjustment_enable = config.get("position_adjustment_enable", False)
    strategy.dp = DataProvider(config, None)
    strategy.account = SimpleNamespace(equity=equity)
    strategy.wallets = SimpleNamespace(get_total_stake_amount=lambda: strategy.account.equity)
    for pair in (PAIR, OTHER):
        show(strategy, pair, candles(close, volume=volume))
    return strategy


def show(strategy, pair, frame):
    analysed = strategy.populate_indicators(frame, {"pair": pair})
    strategy.dp._set_cached_df(pair, "5m", analysed, CandleType.FUTURES)
    strategy.dp._set_dataframe_max_index(pair, len(analysed))


def open_trade(trade_id=1, pair=PAIR, is_short=False, stake=250.0, leverage=4.0, amount=None):
    trade = LocalTrade(
        id=trade_id, pair=pair, base_currency="BTC", stake_currency="USDT", open_rate=100.0,
        open_rate_requested=100.0, amount=stake * leverage / 100 if amount is None else amount,
        stake_amount=stake, open_date=NOW - 10 * CANDLE, fee_open=0.0005, fee_close=0.0005,
        is_open=True, is_short=is_short, leverage=leverage, exchange="binance",
        trading_mode="futures", price_precision=2, precision_mode=2, precision_mode_price=2,
    )  # fmt: skip
    LocalTrade.add_bt_trade(trade)
    return trade


def stake_of(strategy, side="long", **changes):
    numbers = {"proposed_stake": 9e9, "min_stake": 5.0, "max_stake": 9e9, "leverage": 4.0}
    return strategy.custom_stake_amount(
        pair=PAIR, current_time=NOW, current_rate=100.0, entry_tag=None, side=side,
        **(numbers | changes),
    )  # fmt: skip


def exit_of(strategy, trade, rate=100.0, now=NOW):
    return strategy.custom_exit(
        pair=trade.pair, trade=trade, current_time=now, current_rate=rate, current_profit=0.0
    )


def confirmed(strategy, amount=1.0, side="long"):
    return strategy.confirm_trade_entry(PAIR, "limit", amount, 100.0, "GTC", NOW, None, side)


@pytest.mark.parametrize(
    ("equity", "part", "tag"),
    [(9_501, 1.0, None), (9_499, 0.5, None), (9_249, 0.0, None), (8_999, 0.0, "drawdown_limit")],
)
def test_what_the_account_may_still_do(memory, equity, part, tag):
    strategy = bot()
    strategy.bot_loop_start(NOW - timedelta(days=2))
    whole = stake_of(strategy)
    strategy.account.equity = equity
    strategy.bot_loop_start(NOW - timedelta(days=1))  # another day: its own loss is none
    strategy.bot_loop_start(NOW)
    assert stake_of(strategy) == pytest.approx(whole * part * equity / 10_000)
    assert confirmed(strategy) == (part > 0)
    assert exit_of(strategy, open_trade()) == tag


def test_the_daily_limit_closes_everything_until_midnight(memory):
    strategy = bot()
    strategy.bot_loop_start(NOW - timedelta(hours=1))
    strategy.account.equity = 9_799
    strategy.bot_loop_start(NOW)
    assert exit_of(strategy, open_trade()) == "daily_loss_limit"
    assert stake_of(strategy) == 0.0
    strategy.bot_loop_start(NOW + timedelta(hours=12))
    assert exit_of(strategy, open_trade(2)) is None


def test_open_trades_count_at_the_close_of_their_last_candle(memory):
    strategy = bot()
    trade = open_trade(stake=2_500.0)  # 100 coins
    show(strategy, PAIR, candles(90.0))  # −1,000, and fees: beyond 10 %
    strategy.bot_loop_start(NOW)
    strategy.account.equity = 10_000.0
    worth = strategy._equity(strategy.wallets, NOW.timestamp())
    assert worth == pytest.approx(10_000 - 1_000 - 0.0005 * 100 * 190)
    # a candle that is not closed yet is not looked at
    show(strategy, PAIR, pd.concat([candles(90.0), candles(1.0, NOW).tail(1)], ignore_index=True))
    assert strategy._equity(strategy.wallets, NOW.timestamp()) == worth
    assert strategy._ladder[0] < 10_000.0
    assert exit_of(strategy, trade) is None  # the peak was first seen with the loss


def test_a_backtest_that_begins_anew_forgets_the_ladder(memory):
    strategy = bot()
    strategy.bot_loop_start(NOW)
    strategy.account.equity = 1.0
    strategy.bot_loop_start(NOW + CANDLE)
    assert ladder.worst_rung(strategy._ladder) == ladder.FLAT
    strategy.account.equity = 10_000.0
    strategy.bot_loop_start(NOW)
    assert strategy._ladder[1] == ladder.FULL


def test_a_backtest_rearms_after_seven_days(memory):
    strategy = bot()
    for day, equity in ((0, 10_000), (1, 8_000), (7, 8_000), (8, 8_000)):
        strategy.account.equity = equity
        strategy.bot_loop_start(NOW + timedelta(days=day))
        assert (strategy._ladder[1] == ladder.FLAT) == (day in {1, 7})
    assert strategy._ladder[6] == 1.0


def test_open_trades_take_room_of_their_own_side_first(memory):
    alone = stake_of(bot())
    strategy = bot()
    for trade_id in (1, 2, 3):  # each loses 0.5 % of equity at its stop
        open_trade(trade_id, OTHER, stake=10_000 * 0.005 / ((0.02 + 0.0012) * 4))
    same, other = stake_of(strategy, "long"), stake_of(strategy, "short")
    assert same < other <= alone
    open_trade(9, OTHER, stake=50_000.0)
    assert stake_of(strategy, "short") == 0.0  # 20 times the equity is open


@pytest.mark.parametrize(
    ("side", "proposed", "rate"),
    [("long", 100.1, 100.1), ("long", 101.0, 100.15), ("short", 99.0, 99.85)],
)
def test_the_entry_is_within_the_budget_of_the_signal(memory, side, proposed, rate):
    strategy = bot()
    found = strategy.custom_entry_price(
        pair=PAIR, trade=None, current_time=NOW, proposed_rate=proposed, entry_tag=None, side=side
    )
    assert found == pytest.approx(rate)


@pytest.mark.parametrize(("proposed", "rate"), [(99.0, 99.0), (100.1, 100.1), (105.0, 100.15)])
def test_an_unfilled_entry_follows_the_price_within_the_budget(memory, proposed, rate):
    strategy = bot()
    strategy.bot_loop_start(NOW)
    asked = {
        "trade": open_trade(amount=0.0), "order": None, "pair": PAIR, "current_time": NOW,
        "proposed_rate": proposed, "current_order_rate": 100.0, "entry_tag": None, "side": "long",
    }  # fmt: skip
    assert strategy.adjust_entry_price(**asked) == pytest.approx(rate)
    strategy.account.equity = 1.0
    strategy.bot_loop_start(NOW + CANDLE)
    assert strategy.adjust_entry_price(**asked) is None


def next_slice(strategy, trade, now=NOW, rate=100.0):
    return strategy.adjust_trade_position(
        trade=trade, current_time=now, current_rate=rate, current_profit=0.0, min_stake=5.0,
        max_stake=9e9, current_entry_rate=rate, current_exit_rate=rate, current_entry_profit=0.0,
        current_exit_profit=0.0,
    )  # fmt: skip


def test_a_large_stake_is_entered_in_slices(memory):
    whole = stake_of(bot())
    # of a candle's 20,000 USDT two percent are 400 of notional, 100 of stake
    strategy = bot(position_adjustment_enable=True, volume=200.0)
    strategy.bot_loop_start(NOW)
    first = stake_of(strategy)
    assert first == pytest.approx(whole / 5)  # more than by volume: it ends after five
    trade = open_trade(stake=first)
    for number in range(2, 6):
        stake = next_slice(strategy, trade)
        assert stake == pytest.approx(whole / 5)
        trade.stake_amount += stake
        assert (next_slice(strategy, trade) is None) == (number == 5)
    assert trade.stake_amount == pytest.approx(whole)


def test_no_slice_after_the_price_has_left_or_on_the_entrys_candle(memory):
    strategy = bot(position_adjustment_enable=True, volume=200.0)
    strategy.bot_loop_start(NOW)
    trade = open_trade(stake=stake_of(strategy))
    assert next_slice(strategy, trade, rate=100.2) is None
    assert next_slice(strategy, trade, now=trade.open_date_utc + timedelta(minutes=1)) is None
    assert next_slice(strategy, trade) > 0


def test_a_backtest_that_begins_anew_forgets_what_was_planned_for_the_same_number(memory):
    strategy = bot(position_adjustment_enable=True, volume=200.0)
    strategy.bot_loop_start(NOW)
    sliced = open_trade(stake=stake_of(strategy))
    assert next_slice(strategy, sliced) > 0
    LocalTrade.reset_trades()
    strategy.bot_loop_start(NOW)  # the next epoch: its first trade is small enough for one entry
    for pair in (PAIR, OTHER):
        show(strategy, pair, candles(volume=1e9))
    whole = open_trade(sliced.id, stake=stake_of(strategy) / 3)
    assert next_slice(strategy, whole) is None


def test_without_position_adjustment_nothing_is_sliced(memory):
    strategy = bot(volume=1.0)
    assert stake_of(strategy) == stake_of(bot())
    assert next_slice(strategy, open_trade()) is None


def test_a_trade_that_does_not_pay_has_its_time(memory):
    strategy = bot()
    strategy.time_stop_candles, strategy.time_stop_least_r = 10.0, 0.5
    trade = open_trade()  # ten candles ago; R is 2 %
    assert exit_of(strategy, trade, 100.9) == "time_stop"
    assert exit_of(strategy, trade, 101.1) is None
    assert exit_of(strategy, trade, 100.9, NOW - CANDLE) is None


@pytest.mark.parametrize(
    ("book", "allowed"),
    [
        ({"bids": [[99.99, 50]], "asks": [[100.01, 50]]}, True),
        ({"bids": [[99.0, 50]], "asks": [[100.01, 50]]}, False),  # a wide spread
        (
            {"bids": [[99.99, 50]], "asks": [[100.01, 0.1], [101, 50]]},
            False,
        ),  # too thin near the top
        ({"bids": [[99.99, 50]], "asks": [[100.01, 0.5]]}, False),  # not enough at all
        ({"bids": [], "asks": []}, False),
        ({}, False),
        (None, False),
    ],
)
def test_a_running_bot_looks_at_the_book(memory, book, allowed):
    strategy = bot(RunMode.DRY_RUN)

    def orderbook(pair, levels):
        if book is None:
            raise ExchangeError("no answer")
        return book

    strategy.dp.orderbook = orderbook
    assert confirmed(strategy) == allowed
    assert confirmed(bot(RunMode.BACKTEST))


@pytest.mark.parametrize("name", ["reckless", "", None, 5])
def test_an_unknown_profile_is_refused(name):
    with pytest.raises(ConfigurationError, match="profile"):
        Plain({"freqfleet": {"profile": name}})


@pytest.fixture
def database():
    init_db("sqlite://")
    yield
    engine = Trade.session.get_bind()
    Trade.session.remove()
    engine.dispose()


def stored_trade():
    trade = Trade(
        pair=PAIR, base_currency="BTC", stake_currency="USDT", open_rate=100.0, amount=10.0,
        stake_amount=250.0, open_date=NOW, fee_open=0.0005, fee_close=0.0005, is_open=False,
        leverage=4.0, exchange="binance", trading_mode="futures", strategy="Plain",
    )  # fmt: skip
    Trade.session.add(trade)
    Trade.commit()
    return trade


def test_peak_and_rung_survive_a_restart(database, tmp_path):
    stored_trade()
    first = bot(RunMode.DRY_RUN, user_data_dir=tmp_path)
    first.bot_loop_start(NOW)
    first.account.equity = 8_900.0
    first.bot_loop_start(NOW + CANDLE)
    again = bot(RunMode.DRY_RUN, equity=8_900.0, user_data_dir=tmp_path)
    again.bot_loop_start(NOW + 2 * CANDLE)
    assert again._ladder == first._ladder
    assert again._ladder[:2] == (10_000.0, ladder.FLAT)
    # neither time nor a restart lets it in again
    again.bot_loop_start(NOW + timedelta(days=100))
    assert again._ladder[1] == ladder.FLAT


def test_a_live_bot_is_rearmed_by_a_resume_after_the_halt(database, tmp_path):
    stored_trade()
    strategy = bot(RunMode.DRY_RUN, user_data_dir=tmp_path)
    mark = tmp_path / ladder.REARM_FILE
    mark.touch()
    os.utime(mark, (NOW.timestamp() - 60, NOW.timestamp() - 60))  # resumed before, not after
    strategy.bot_loop_start(NOW)
    strategy.account.equity = 8_900.0
    strategy.bot_loop_start(NOW + CANDLE)
    strategy.bot_loop_start(NOW + 2 * CANDLE)
    assert strategy._ladder[1] == ladder.FLAT
    later = NOW.timestamp() + 1_000
    os.utime(mark, (later, later))
    strategy.bot_loop_start(NOW + timedelta(seconds=1_001))
    assert strategy._ladder[:3] == (8_900.0, ladder.FULL, math.inf)


def test_a_stored_ladder_that_cannot_be_read_keeps_the_bot_flat(database, tmp_path):
    trade = stored_trade()
    trade.set_custom_data("drawdown_ladder", "nonsense")
    strategy = bot(RunMode.LIVE, user_data_dir=tmp_path)
    strategy.bot_loop_start(NOW)
    assert strategy._ladder[1] == ladder.FLAT
