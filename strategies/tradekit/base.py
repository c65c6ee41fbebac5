"""PackStrategy: the bridge from Freqtrade's callbacks to columns and policy functions.

It decides nothing by itself. What comes from the market is a column of the signal candle
(`stop_dist_frac`, `leverage_cap`, `risk_scale`, `close`, `quote_volume`); what depends on the
account is a function of `tradekit.sizing`, `risk`, `ladder`, `exposure` or `execution`. Missing
data, NaN or a stale candle mean no entry; exits always pass. The same in backtest, hyperopt,
dry-run and live, but for the order book, which only a running bot has. The only file of the kit
that imports freqtrade; strategies derive from it in a single chain: `class S(PackStrategy)`.
The callbacks are frozen by docs/adr/0004-frozen-callbacks.md: other engines reproduce them.
"""

import logging
import math
import time
from abc import abstractmethod
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from freqtrade.enums import CandleType, RunMode
from freqtrade.exceptions import ConfigurationError, ExchangeError
from freqtrade.exchange import timeframe_to_prev_date, timeframe_to_seconds
from freqtrade.persistence import Trade
from freqtrade.persistence.custom_data import CustomDataWrapper
from freqtrade.strategy import IStrategy
from freqtrade.strategy.parameters import BaseParameter
from pandas import DataFrame

from tradekit import edge as edges
from tradekit import execution, exposure, funding, ladder, regime, risk, signals, sizing, tails
from tradekit import indicators as ind
from tradekit.indicators import Columns, FloatArray
from tradekit.profiles import profile_of

logger = logging.getLogger(__name__)

Seconds = np.ndarray[Any, np.dtype[np.int64]]
CANDLE_COLUMNS = ("open", "high", "low", "close", "volume")
STOP_KEY = "stop_dist_frac"
PLAN_KEY = "planned_stake"
SIZING_KEY = "sizing"
LADDER_KEY = "drawdown_ladder"
BOOK_LEVELS = 20
SECONDS = "datetime64[s]"
# What a strategy's `plot_config` shows of its risk.
RISK_PLOTS: dict[str, dict[str, dict[str, str]]] = {
    "risk": {"stop_dist_frac": {}, "risk_scale": {}},
    "risk_parts": {"calm_scale": {}, "var_scale": {}, "kelly_scale": {}},
    "leverage": {"leverage_cap": {}},
    "funding": {"funding_long_r": {}, "funding_short_r": {}},
}


class PackStrategy(IStrategy):
    """A strategy whose size, leverage and stop follow from three columns of its signal candle.

    Derived classes give `columns`, `entries` and `exits`; their masks never see the future.
    """

    INTERFACE_VERSION = 3
    can_short = True
    timeframe = "5m"
    process_only_new_candles = True
    use_exit_signal = True
    exit_profit_only = False
    ignore_roi_if_entry_signal = False
    minimal_roi: ClassVar[dict[str, float]] = {}
    # The last resort, as a fraction of the margin: entries keep their own stop inside half the way
    # to liquidation (`liquidation_margin_frac`), so this one is hit only if that one was never set.
    stoploss = -0.5
    use_custom_stoploss = True
    trailing_stop = False

    # Of the profile: `risk_share` of its risk per trade, and its leverage unless this one is lower.
    risk_share = 1.0
    highest_leverage = math.inf
    assumed_correlation = 0.7  # between any two perpetuals; daily returns of the majors lie below
    least_stop_frac = 0.008
    most_stop_frac = 0.05
    cost_frac = 0.0012  # two taker fees of 5 bps and 2 bps of slippage
    liquidation_margin_frac = 0.5
    assumed_maintenance_frac = 0.025
    target_day_volatility_frac = 0.08  # that leverage scales every market to
    edge: edges.Edge | None = None  # as measured after the parameters were chosen; None: not yet
    kelly_part = 0.25
    holding_hours = 24.0  # of a usual trade, for the funding it is expected to pay
    trail_after_r = math.inf
    trail_dist_r = 1.0
    stale_after_candles = 3
    time_stop_candles = math.inf
    time_stop_least_r = 0.0
    slippage_budget_frac = 0.0015
    most_spread_frac = 0.001
    # Entries are sliced only with `position_adjustment_enable`.
    slice_participation = 0.02
    most_slices = 5.0

    def __init__(self, config: Any) -> None:
        """Take the profile that `config` (Freqtrade's) names, and start with no confirmed entries."""
        super().__init__(config)
        try:
            self.profile = profile_of(config)
            self.edge = edges.edge_of(config, self.edge)
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
        if edges.is_spent(self.edge):
            logger.warning("%s: %s", type(self).__name__, edges.refusal(self.edge))
        self.risk_per_trade_frac = self.profile.risk_per_trade_frac * self.risk_share
        self.highest_leverage = min(self.highest_leverage, self.profile.highest_leverage)
        declared = ((name, getattr(type(self), name, None)) for name in dir(type(self)))
        self._parameters = {
            name: found for name, found in declared if isinstance(found, BaseParameter)
        }
        self._row = _Row(None)
        self._row_of: tuple[str, datetime] | None = None  # pair and time it was read for
        self._confirmed_stops: dict[str, float] = {}
        self._trade_stops: dict[int, float] = {}
        self._planned_stakes: dict[str, float] = {}
        self._trade_plans: dict[int, float] = {}
        self._breakdowns: dict[str, dict[str, Any]] = {}
        self._settled: dict[str, tuple[FloatArray, FloatArray]] = {}
        self._marks: dict[str, tuple[Seconds, FloatArray]] = {}
        self._regime: regime.Parameters | None = None
        self._ladder = ladder.START
        self._ladder_home: int | None = None
        self._last_loop_s = math.inf if self._outlives_process() else -math.inf

    @abstractmethod
    def columns(self, candles: Columns) -> dict[str, FloatArray]:
        """Return the columns made from the candles; row t uses rows ≤ t.

        `candles` holds open, high, low, close, volume, `opened_s` (the second of the opening) and
        `funding_day_frac` (what longs paid in the day before; NaN where that is not known).
        """

    @staticmethod
    @abstractmethod
    def entries(c: Columns, p: signals.Parameters) -> list[signals.Rule]:
        """Return the rules to enter by, as masks over the columns `c` and parameter values `p`."""

    @staticmethod
    @abstractmethod
    def exits(c: Columns, p: signals.Parameters) -> list[signals.Rule]:
        """Return the rules to leave by, as masks over the columns `c` and parameter values `p`."""

    def parameter_values(self) -> dict[str, Any]:
        """Return the present value of every hyperopt parameter by its name."""
        return {name: parameter.value for name, parameter in self._parameters.items()}

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Add the strategy's columns, and remember the closes that open trades are valued by."""
        candles = _arrays(dataframe, CANDLE_COLUMNS)
        opened_s = dataframe["date"].to_numpy(dtype=SECONDS).astype(np.int64)
        pair = metadata.get("pair", "")
        self._marks[pair] = (opened_s, candles["close"])
        candles["opened_s"] = opened_s.astype(np.float64)
        candles["funding_day_frac"] = funding.day_rate(candles["opened_s"], *self._funding(pair))
        made = self.columns(candles)
        if self.position_adjustment_enable:
            made["quote_volume"] = ind.sma(candles["close"] * candles["volume"], 12)
        return dataframe.assign(**made)

    def informative_pairs(self) -> list[tuple[str, str, CandleType]]:
        """Ask for the funding rates of every pair; a running bot fetches what is asked for here."""
        if self.config.get("trading_mode") != "futures" or getattr(self, "dp", None) is None:
            return []
        timeframe = self.dp.get_funding_rate_timeframe()
        return [(pair, timeframe, CandleType.FUNDING_RATE) for pair in self.dp.current_whitelist()]

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Add enter_long, enter_short and enter_tag on the rows that may be traded."""
        columns = _arrays(dataframe, _numbers(dataframe))
        rules = self.entries(columns, self.parameter_values())
        found = signals.resolve(rules, signals.tradable(columns))
        return dataframe.assign(
            enter_long=found.long.astype(np.int64),
            enter_short=found.short.astype(np.int64),
            enter_tag=_tags(rules, found),
        )

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Add exit_long, exit_short and exit_tag; nothing may hold an exit back."""
        columns = _arrays(dataframe, _numbers(dataframe))
        rules = self.exits(columns, self.parameter_values())
        found = signals.resolve(rules, np.ones(len(dataframe), dtype=bool))
        return dataframe.assign(
            exit_long=found.long.astype(np.int64),
            exit_short=found.short.astype(np.int64),
            exit_tag=_tags(rules, found),
        )

    def leverage(  # noqa: PLR0917
        self,
        pair: str,
        current_time: datetime,
        current_rate: float,
        proposed_leverage: float,
        max_leverage: float,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float:
        """Return the smallest leverage cap; 1 where there is none (the stake is then 0)."""
        stop, cap, _ = self._signal_risk(pair, current_time)
        safe = sizing.liquidation_safe_leverage(
            stop, sizing.maintenance_bound(max_leverage), self.liquidation_margin_frac
        )
        return max(sizing.entry_leverage(cap, max_leverage, safe), 1.0)

    def custom_stake_amount(  # noqa: PLR0917
        self,
        pair: str,
        current_time: datetime,
        current_rate: float,
        proposed_stake: float,
        min_stake: float | None,
        max_stake: float,
        leverage: float,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float:
        """Return the stake that risks `risk_per_trade_frac` · `risk_scale` of equity, or 0.

        Less where the drawdown ladder or the other open trades leave less room; of a large stake
        only the first slice.
        """
        stop, cap, scale = self._signal_risk(pair, current_time)
        wallets = getattr(self, "wallets", None)
        safe = sizing.liquidation_safe_leverage(
            stop, self.assumed_maintenance_frac, self.liquidation_margin_frac
        )
        # a leverage forced from outside, or 1 where not even 1 is safe
        if wallets is None or not leverage <= min(cap, safe):
            return 0.0
        equity = wallets.get_total_stake_amount()
        scale *= ladder.rung_scale(ladder.worst_rung(self._ladder))
        wanted = sizing.risk_stake(
            equity, self.risk_per_trade_frac * scale, stop, self.cost_frac, leverage
        )
        notional_room, loss_room = self._room(equity, side)
        capped = sizing.capped_stake(
            wanted, notional_room / leverage, loss_room / ((stop + self.cost_frac) * leverage)
        )
        stake = sizing.entry_stake(capped, proposed_stake, min_stake or 0.0, max_stake)
        self._explain(
            pair,
            current_time,
            {
                "exposure": notional_room / leverage,
                "open risk": loss_room / ((stop + self.cost_frac) * leverage),
                "Freqtrade's proposal": proposed_stake,
                "exchange maximum": max_stake,
            },
            sizing.risk_stake(equity, self.risk_per_trade_frac, stop, self.cost_frac, leverage),
            min_stake or 0.0,
        )
        return self._first_slice(pair, current_time, stake, leverage, min_stake or 0.0)

    def confirm_trade_entry(  # noqa: PLR0917
        self,
        pair: str,
        order_type: str,
        amount: float,
        rate: float,
        time_in_force: str,
        current_time: datetime,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> bool:
        """Confirm with all three risk columns, a ladder that lets in and a book that fills it.

        Fixes the stop's distance for the trade.
        """
        stop, cap, scale = self._signal_risk(pair, current_time)
        if not (stop > 0.0 and cap >= 1.0 and scale > 0.0 and amount > 0.0 and rate > 0.0):
            return False
        if not ladder.worst_rung(self._ladder) < ladder.CLOSED:
            return False
        if self._outlives_process() and not self._book_allows(pair, current_time, amount, side):
            return False
        self._confirmed_stops[pair] = stop
        return True

    def custom_stoploss(  # noqa: PLR0917
        self,
        pair: str,
        trade: Any,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        after_fill: bool,
        **kwargs: Any,
    ) -> float | None:
        """Return the stop fixed at entry (and trailed, if the strategy trails); never a wider one."""
        stop = risk.stop_rate(
            trade.open_rate,
            current_rate,
            self._trade_stop(pair, trade),
            self.trail_after_r,
            self.trail_dist_r,
            trade.is_short,
        )
        if not risk.is_tighter(stop, trade.stop_loss, trade.is_short):
            return None
        return risk.relative_stop(stop, current_rate, trade.leverage, trade.is_short)

    def custom_exit(
        self,
        pair: str,
        trade: Any,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        **kwargs: Any,
    ) -> str | None:
        """Leave everything at a loss limit, and a trade that had its time without paying."""
        if ladder.worst_rung(self._ladder) >= ladder.FLAT:
            return "drawdown_limit" if self._ladder[1] >= ladder.FLAT else "daily_loss_limit"
        if self.time_stop_candles == math.inf:
            return None
        candle_s = float(_candle_s(self.timeframe))
        age = (current_time - trade.open_date_utc).total_seconds() / candle_s
        side = -1.0 if trade.is_short else 1.0
        one_r = trade.open_rate * self._trade_stop(pair, trade)
        profit_r = side * (current_rate - trade.open_rate) / one_r
        if risk.is_time_up(age, self.time_stop_candles, profit_r, self.time_stop_least_r):
            return "time_stop"
        return None

    def custom_entry_price(  # noqa: PLR0917
        self,
        pair: str,
        trade: Any,
        current_time: datetime,
        proposed_rate: float,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float:
        """Return the proposed rate, no worse than the budget allows beyond the signal's close."""
        signal = self._signal_number(pair, current_time, "close")
        if trade is not None:
            signal = trade.open_rate_requested
        return execution.entry_rate(
            proposed_rate, signal, self.slippage_budget_frac, side == "short"
        )

    def adjust_entry_price(  # noqa: PLR0917
        self,
        trade: Any,
        order: Any,
        pair: str,
        current_time: datetime,
        proposed_rate: float,
        current_order_rate: float,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float | None:
        """Follow the price on a new candle, no worse than the budget allows beyond the first rate.

        None, which cancels the order, where the ladder no longer lets in.
        """
        if not ladder.worst_rung(self._ladder) < ladder.CLOSED:
            return None
        return execution.entry_rate(
            proposed_rate, trade.open_rate_requested, self.slippage_budget_frac, trade.is_short
        )

    def adjust_trade_position(  # noqa: PLR0917
        self,
        trade: Any,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        min_stake: float | None,
        max_stake: float,
        current_entry_rate: float,
        current_exit_rate: float,
        current_entry_profit: float,
        current_exit_profit: float,
        **kwargs: Any,
    ) -> float | None:
        """Return the stake of the next slice, one a candle, inside budget and ladder; else None."""
        planned = self._trade_plan(trade)
        if not planned > trade.stake_amount or trade.has_open_orders:
            return None
        candle = timeframe_to_prev_date(self.timeframe, current_time)
        if trade.date_last_filled_utc >= candle:
            return None
        fits = execution.is_within_budget(
            current_rate, trade.open_rate_requested, self.slippage_budget_frac, trade.is_short
        )
        if not fits or not ladder.worst_rung(self._ladder) < ladder.CLOSED:
            return None
        stake = execution.next_slice(
            planned,
            trade.stake_amount,
            self.most_slices,
            self._signal_number(trade.pair, current_time, "quote_volume"),
            self.slice_participation,
            trade.leverage,
            min_stake or 0.0,
        )
        return stake if 0.0 < stake <= max_stake else None

    def bot_loop_start(self, current_time: datetime, **kwargs: Any) -> None:
        """Take the account's worth to the drawdown ladder; a running bot stores what changed."""
        self._row_of = None  # another candle, of which no row has been read
        wallets = getattr(self, "wallets", None)
        if wallets is None:
            return
        now_s = current_time.timestamp()
        if now_s <= self._last_loop_s:  # a bot that starts, or a backtest that begins anew
            self._ladder = self._stored_ladder(now_s)
            self._forget_backtest()
        self._last_loop_s = now_s
        before, equity = self._ladder, self._equity(wallets, now_s)
        lives = self._outlives_process()
        if before[1] >= ladder.CLOSED and lives and self._was_resumed(before[2]):
            self._ladder = ladder.rearmed(before, equity)
        self._ladder = ladder.step(
            self._ladder,
            now_s,
            equity,
            self.profile.drawdown_frac,
            self.profile.daily_loss_frac,
            math.inf if lives else ladder.BACKTEST_REARM_S,
        )
        if self._ladder != before and lives:
            self._store_ladder()
        if self._ladder[1] != before[1] and self.config.get("runmode") != RunMode.HYPEROPT:
            logger.info("Drawdown ladder at %s: %s", current_time, ladder.stored(self._ladder))

    def risk_columns(
        self,
        candles: Columns,
        volatility_day_frac: FloatArray,
        stop: FloatArray,
        calm: FloatArray,
        regime_scale: FloatArray | float = 1.0,
    ) -> dict[str, FloatArray]:
        """Return the columns that size, leverage and funding follow from.

        `risk_scale` is the smallest of three, which stand beside it: what the market's calm and its
        regime leave; what a day's VaR (99 %, normal, mean zero: it forgets after its window, which
        an exponential average would not within a start-up period) leaves; and the fraction of
        Kelly, scaled by calm and regime too. Row by row, NaN in, NaN out.
        """
        calm = calm * regime_scale
        within = risk.var_scale(
            tails.NORMAL_99 * volatility_day_frac,
            self.profile.var_frac,
            stop,
            self.cost_frac,
            self.risk_per_trade_frac,
        )
        kelly = calm * edges.kelly_scale(
            candles["opened_s"], self.edge, self.kelly_part, self.risk_per_trade_frac
        )
        day_frac = candles["funding_day_frac"]
        return {
            "stop_dist_frac": stop,
            "leverage_cap": self._leverage_column(volatility_day_frac / regime_scale, stop),
            "risk_scale": np.minimum(np.minimum(calm, within), kelly),
            "calm_scale": calm,
            "var_scale": within,
            "kelly_scale": kelly,
            "funding_long_r": funding.burden_r(day_frac, self.holding_hours, stop, False),
            "funding_short_r": funding.burden_r(day_frac, self.holding_hours, stop, True),
        }

    def _leverage_column(self, volatility_day_frac: FloatArray, stop: FloatArray) -> FloatArray:
        """Return the leverage cap per row: by daily volatility, and with liquidation past the stop."""
        cap = risk.volatility_leverage_cap(
            volatility_day_frac, self.target_day_volatility_frac, self.highest_leverage
        )
        safe = risk.safe_leverage_column(
            stop, self.assumed_maintenance_frac, self.liquidation_margin_frac
        )
        return np.minimum(cap, safe)

    def regime_scale_column(
        self, candles: Columns, rules: np.ndarray[Any, np.dtype[np.int64]], lowest: float
    ) -> FloatArray:
        """Return how much of the risk the regime leaves per row, `lowest` to 1.

        By the trained filter where the configuration names a `freqfleet.regime_file`; `lowest` on
        every row where that file cannot be used. Without one by `rules` (`regime.rule_regime`).
        """
        close = candles["close"]
        file = (self.config.get("freqfleet") or {}).get("regime_file")
        if file is None:
            return np.where(rules == regime.WILD, lowest, 1.0)
        if self._regime is None:
            try:
                text = Path(file).read_text(encoding="utf-8")
                self._regime = regime.parameters_of(text, self.timeframe, time.time())
            except (OSError, ValueError) as error:
                logger.warning(
                    "Regime: the least risk is taken, %s cannot be used: %s", file, error
                )
                return np.full(len(close), lowest)
        returns = regime.standardised_returns(close, self._regime.slow_candles)
        wild = regime.wild_probability(returns, candles["opened_s"], self._regime)
        return regime.wild_scale(wild, lowest)

    def _funding(self, pair: str) -> tuple[FloatArray, FloatArray]:
        """Return seconds and rates of the pair's settlements; none where there is no data.

        A backtest's do not change and are read once.
        """
        lives = self._outlives_process()
        if getattr(self, "dp", None) is None or self.config.get("trading_mode") != "futures":
            return _NO_RATES
        if lives or pair not in self._settled:
            frame = self.dp.get_pair_dataframe(
                pair, self.dp.get_funding_rate_timeframe(), CandleType.FUNDING_RATE
            )
            known = "funding_rate" in frame.columns
            self._settled[pair] = (
                (
                    frame["date"].to_numpy(dtype=SECONDS).astype(np.float64),
                    frame["funding_rate"].to_numpy(dtype=np.float64),
                )
                if known
                else _NO_RATES
            )
        return self._settled[pair]

    def _explain(
        self,
        pair: str,
        now: datetime,
        stakes: dict[str, float],
        whole_risk: float,
        min_stake: float,
    ) -> None:
        """Tell which constraint bound the stake: log, and the trade's custom data in a running bot.

        `whole_risk` is the stake of the whole risk per trade, of which the columns leave parts.
        """
        lives = self._outlives_process()
        if not lives and not logger.isEnabledFor(logging.DEBUG):
            return
        rung = ladder.rung_scale(ladder.worst_rung(self._ladder))
        named = {
            "risk per trade": "calm_scale",
            "Kelly": "kelly_scale",
            "value at risk": "var_scale",
        }
        parts = {
            name: whole_risk * rung * self._signal_number(pair, now, column)
            for name, column in named.items()
        }
        if math.isnan(parts["risk per trade"]):  # a strategy that gives `risk_scale` alone
            parts = {"risk per trade": whole_risk * self._signal_risk(pair, now)[2] * rung}
        all_stakes = {**parts, **stakes}
        bound, stake = sizing.binding_constraint(all_stakes, min_stake)
        told = {name: round(amount, 2) for name, amount in all_stakes.items()}
        self._breakdowns[pair] = {"bound_by": bound, "stake": round(stake, 2), "stakes": told}
        logger.log(
            logging.INFO if lives else logging.DEBUG,
            "Stake of %s: %.2f, bound by %s; %s", pair, stake, bound, told,
        )  # fmt: skip

    def _equity(self, wallets: Any, now_s: float) -> float:
        """Return what the account is worth: the wallet, and every open trade at its last close."""
        worth: float = wallets.get_total_stake_amount()
        for trade in Trade.get_open_trades():
            worth += risk.marked_profit(
                trade.amount,
                trade.open_rate,
                self._mark(trade.pair, now_s, trade.open_rate),
                trade.fee_open,
                trade.funding_fees or 0.0,
                trade.is_short,
            )
        return worth

    def _mark(self, pair: str, now_s: float, otherwise: float) -> float:
        """Return the close of the last candle that is closed at `now_s`."""
        opened_s, closes = self._marks.get(pair, _NO_MARKS)
        # an int: numpy would turn the whole array into floats to look for one
        closed = int(now_s) - _candle_s(self.timeframe)
        row = int(opened_s.searchsorted(closed, side="right")) - 1
        return float(closes[row]) if row >= 0 else otherwise

    def _room(self, equity: float, side: str) -> tuple[float, float]:
        """Return the notional and the loss at the stop that the open trades leave for another."""
        notional, squares = 0.0, 0.0
        losses = {"long": 0.0, "short": 0.0}
        for trade in Trade.get_open_trades():
            held = max(trade.stake_amount, self._trade_plan(trade)) * trade.leverage
            loss = held * (self._trade_stop(trade.pair, trade) + self.cost_frac)
            notional += held
            squares += loss * loss
            losses["short" if trade.is_short else "long"] += loss
        return exposure.exposure_room(
            equity, self.profile.exposure_cap, notional
        ), exposure.risk_room(
            equity * self.profile.open_risk_frac,
            losses[side],
            losses["long" if side == "short" else "short"],
            squares,
            self.assumed_correlation,
        )

    def _first_slice(
        self, pair: str, now: datetime, stake: float, leverage: float, min_stake: float
    ) -> float:
        """Return the stake itself, or the first slice of it where entries are sliced."""
        self._planned_stakes[pair] = 0.0
        if not self.position_adjustment_enable or not stake > 0.0:
            return stake
        volume = self._signal_number(pair, now, "quote_volume")
        parts = execution.slice_count(
            stake * leverage, volume, self.slice_participation, self.most_slices
        )
        if parts <= 1.0:
            return stake
        self._planned_stakes[pair] = stake
        return execution.next_slice(
            stake, 0.0, parts, volume, self.slice_participation, leverage, min_stake
        )

    def _forget_backtest(self) -> None:
        """Drop what an earlier backtest planned: each counts its trades from 1 again."""
        if self._outlives_process():
            return
        for planned in (
            self._confirmed_stops,
            self._trade_stops,
            self._planned_stakes,
            self._trade_plans,
        ):
            planned.clear()

    def _trade_plan(self, trade: Any) -> float:
        """Return the whole stake planned for a sliced `trade`; 0 for one that is not sliced."""
        if not self.position_adjustment_enable:
            return 0.0
        if self._planned_stakes.get(trade.pair, 0.0) > 0.0:
            planned = self._trade_plans[trade.id] = self._planned_stakes.pop(trade.pair)
            if self._outlives_process():
                trade.set_custom_data(PLAN_KEY, planned)
        elif trade.id not in self._trade_plans:
            stored = trade.get_custom_data(PLAN_KEY) if self._outlives_process() else None
            self._trade_plans[trade.id] = float(stored or 0.0)
        return self._trade_plans[trade.id]

    def _book_allows(self, pair: str, now: datetime, amount: float, side: str) -> bool:
        """Tell whether the order book has a narrow spread and fills `amount` inside the budget."""
        try:
            book = self.dp.orderbook(pair, BOOK_LEVELS)
        except ExchangeError as error:
            logger.warning("No entry into %s: no order book (%s)", pair, error)
            return False
        bids, asks = _levels(book.get("bids")), _levels(book.get("asks"))
        if not len(bids) or not len(asks):
            return False
        is_short = side == "short"
        spread = execution.spread_frac(bids[0, 0], asks[0, 0])
        taken = bids if is_short else asks
        rate = execution.book_rate(taken[:, 0], taken[:, 1], amount)
        signal = self._signal_number(pair, now, "close")
        return spread <= self.most_spread_frac and execution.is_within_budget(
            rate, signal, self.slippage_budget_frac, is_short
        )

    def _stored_ladder(self, now_s: float) -> ladder.State:
        """Return the ladder that a running bot stored with its first trade; else a new one."""
        if not self._outlives_process():
            return ladder.START
        self._ladder_home = min((trade.id for trade in Trade.get_trades_proxy()), default=None)
        if self._ladder_home is None:
            return ladder.START
        kept = CustomDataWrapper.get_custom_data(trade_id=self._ladder_home, key=LADDER_KEY)
        return ladder.restored(kept[0].value, now_s) if kept else ladder.START

    def _store_ladder(self) -> None:
        """Keep the ladder with the bot's first trade; before it there is nothing to lose."""
        if self._ladder_home is None:
            self._ladder_home = min((trade.id for trade in Trade.get_trades_proxy()), default=None)
        if self._ladder_home is not None:
            CustomDataWrapper.set_custom_data(
                self._ladder_home, LADDER_KEY, ladder.stored(self._ladder)
            )

    def _was_resumed(self, since_s: float) -> bool:
        """Tell whether a person has resumed the bot after entries were closed."""
        folder = self.config.get("user_data_dir")
        mark = Path(folder) / ladder.REARM_FILE if folder else None
        return mark is not None and mark.exists() and mark.stat().st_mtime > since_s

    def _signal_number(self, pair: str, now: datetime, column: str) -> float:
        """Return a column of the signal candle; NaN where it cannot be had."""
        return self._signal(pair, now)[column]

    def _signal_risk(self, pair: str, now: datetime) -> tuple[float, float, float]:
        """Return the risk columns of the signal candle; NaN each where one cannot be had."""
        row = self._signal(pair, now)
        stop, cap, scale = (row[name] for name in signals.RISK_COLUMNS)
        return stop, cap, scale

    def _signal(self, pair: str, now: datetime) -> "_Row":
        """Return the signal candle's row.

        A backtest asks several times within a candle, in which its candles do not change; to cut
        them out of the frame each time would be most of what an entry costs.
        """
        if self._row_of == (pair, now) and not self._outlives_process():
            return self._row
        frame = self._analyzed(pair)
        fresh = frame is not None and self._is_fresh(frame, now)
        self._row, self._row_of = _Row(frame if fresh else None), (pair, now)
        return self._row

    def _analyzed(self, pair: str) -> DataFrame | None:
        data = getattr(self, "dp", None)
        if data is None:
            return None
        frame, _ = data.get_analyzed_dataframe(pair, self.timeframe)
        return frame if len(frame) and "date" in frame.columns else None

    def _is_fresh(self, frame: DataFrame, now: datetime) -> bool:
        """Tell whether the last candle is closed and not older than `stale_after_candles`."""
        candle = timedelta(seconds=_candle_s(self.timeframe))
        last: Any = frame["date"].iat[-1]
        age = now - last
        return bool(candle <= age < self.stale_after_candles * candle)

    def _trade_stop(self, pair: str, trade: Any) -> float:
        """Return the stop distance fixed when the entry of `trade` was confirmed.

        A bot that was restarted reads what it stored, else the column of the candle before the
        entry; if neither is there, the stop stands as near as any entry's would.
        """
        if pair in self._confirmed_stops:
            stop = self._trade_stops[trade.id] = self._confirmed_stops.pop(pair)
            if self._outlives_process():
                trade.set_custom_data(STOP_KEY, stop)
                trade.set_custom_data(SIZING_KEY, self._breakdowns.pop(pair, {}))
        elif trade.id not in self._trade_stops:
            self._trade_stops[trade.id] = self._recovered_stop(pair, trade)
        return self._trade_stops[trade.id]

    def _recovered_stop(self, pair: str, trade: Any) -> float:
        stored = trade.get_custom_data(STOP_KEY) if self._outlives_process() else None
        if stored is not None:
            return float(stored)
        frame = self._analyzed(pair)
        if frame is not None:
            opened = timeframe_to_prev_date(self.timeframe, trade.open_date_utc)
            earlier = int((frame["date"] < opened).sum())
            stop = _number(frame, STOP_KEY, earlier - 1) if earlier else math.nan
            if stop > 0.0:
                return stop
        return self.least_stop_frac

    def _outlives_process(self) -> bool:
        return self.config.get("runmode") in (RunMode.DRY_RUN, RunMode.LIVE)


_NO_RATES: tuple[FloatArray, FloatArray] = (np.empty(0), np.empty(0))
_NO_MARKS: tuple[Seconds, FloatArray] = (np.empty(0, dtype=np.int64), np.empty(0))


def _levels(side: Any) -> FloatArray:
    """Return one side of a book as rows of price and size; empty where it is not one."""
    rows = [row[:2] for row in side or () if len(row) >= 2]
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


class _Row(dict[str, float]):
    """The last row's numbers by column, each read once; NaN where there is none."""

    def __init__(self, frame: DataFrame | None) -> None:
        super().__init__()
        self._frame = frame

    def __missing__(self, column: str) -> float:
        found = math.nan if self._frame is None else _number(self._frame, column, -1)
        self[column] = found
        return found


@cache
def _candle_s(timeframe: str) -> int:
    """Return the seconds of a candle; asked at every candle and trade, so read once."""
    seconds: int = timeframe_to_seconds(timeframe)
    return seconds


def _number(frame: DataFrame, column: str, row: int) -> float:
    """Return one cell as a float; NaN where it is missing or no finite number."""
    if column not in frame.columns:
        return math.nan
    cell = frame[column].iat[row]
    if not isinstance(cell, (int, float, np.integer, np.floating)) or not math.isfinite(cell):
        return math.nan
    return float(cell)


def _arrays(frame: DataFrame, names: tuple[str, ...] | list[str]) -> dict[str, FloatArray]:
    return {name: frame[name].to_numpy(dtype=np.float64) for name in names}


def _numbers(frame: DataFrame) -> list[str]:
    return [str(name) for name, kind in frame.dtypes.items() if kind.kind in "fiub"]


def _tags(
    rules: list[signals.Rule], found: signals.Signals
) -> np.ndarray[Any, np.dtype[np.object_]]:
    names = np.array([*(rule.tag for rule in rules), None], dtype=object)
    return names[found.tag]
