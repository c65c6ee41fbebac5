"""PackStrategy: the bridge from Freqtrade's callbacks to columns and policy functions.

It decides nothing by itself. What comes from the market is a column of the signal candle
(`stop_dist_frac`, `leverage_cap`, `risk_scale`); what depends on the account is a function of
`tradekit.sizing` or `tradekit.risk`. Missing data, NaN or a stale candle mean no entry; exits
always pass. The same in backtest, hyperopt, dry-run and live. The only file of the kit that
imports freqtrade; strategies derive from it in a single chain: `class S(PackStrategy)`.
"""

import math
from abc import abstractmethod
from datetime import datetime, timedelta
from typing import Any, ClassVar

import numpy as np
from freqtrade.enums import RunMode
from freqtrade.exchange import timeframe_to_minutes, timeframe_to_prev_date
from freqtrade.strategy import IStrategy
from freqtrade.strategy.parameters import BaseParameter
from pandas import DataFrame

from tradekit import risk, signals, sizing
from tradekit.indicators import Columns, FloatArray

CANDLE_COLUMNS = ("open", "high", "low", "close", "volume")
STOP_KEY = "stop_dist_frac"


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

    risk_per_trade_frac = 0.005
    highest_leverage = 5.0
    least_stop_frac = 0.008
    most_stop_frac = 0.05
    cost_frac = 0.0012  # two taker fees of 5 bps and 2 bps of slippage
    liquidation_margin_frac = 0.5
    assumed_maintenance_frac = 0.025
    trail_after_r = math.inf
    trail_dist_r = 1.0
    stale_after_candles = 3

    def __init__(self, config: Any) -> None:
        """Start with no confirmed entries; `config` is Freqtrade's."""
        super().__init__(config)
        declared = ((name, getattr(type(self), name, None)) for name in dir(type(self)))
        self._parameters = {
            name: found for name, found in declared if isinstance(found, BaseParameter)
        }
        self._confirmed_stops: dict[str, float] = {}
        self._trade_stops: dict[int, float] = {}

    @abstractmethod
    def columns(self, candles: Columns) -> dict[str, FloatArray]:
        """Return the columns made from open, high, low, close and volume; row t uses rows ≤ t."""

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
        """Add the strategy's columns."""
        return dataframe.assign(**self.columns(_arrays(dataframe, CANDLE_COLUMNS)))

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
        """Return the stake that risks `risk_per_trade_frac` · `risk_scale` of equity, or 0."""
        stop, cap, scale = self._signal_risk(pair, current_time)
        wallets = getattr(self, "wallets", None)
        safe = sizing.liquidation_safe_leverage(
            stop, self.assumed_maintenance_frac, self.liquidation_margin_frac
        )
        # a leverage forced from outside, or 1 where not even 1 is safe
        if wallets is None or not leverage <= min(cap, safe):
            return 0.0
        equity = wallets.get_total_stake_amount()
        wanted = sizing.risk_stake(
            equity, self.risk_per_trade_frac * scale, stop, self.cost_frac, leverage
        )
        return sizing.entry_stake(wanted, proposed_stake, min_stake or 0.0, max_stake)

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
        """Confirm only with all three risk columns at hand, and fix the stop's distance."""
        stop, cap, scale = self._signal_risk(pair, current_time)
        if not (stop > 0.0 and cap >= 1.0 and scale > 0.0 and amount > 0.0 and rate > 0.0):
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

    def leverage_column(
        self, volatility_day_frac: FloatArray, target: float, stop: FloatArray
    ) -> FloatArray:
        """Return the leverage cap per row: by daily volatility, and with liquidation past the stop."""
        cap = risk.volatility_leverage_cap(volatility_day_frac, target, self.highest_leverage)
        safe = risk.safe_leverage_column(
            stop, self.assumed_maintenance_frac, self.liquidation_margin_frac
        )
        return np.minimum(cap, safe)

    def _signal_risk(self, pair: str, now: datetime) -> tuple[float, float, float]:
        """Return the risk columns of the signal candle; NaN each where one cannot be had."""
        frame = self._analyzed(pair)
        if frame is None or not self._is_fresh(frame, now):
            return math.nan, math.nan, math.nan
        stop, cap, scale = (_number(frame, name, -1) for name in signals.RISK_COLUMNS)
        return stop, cap, scale

    def _analyzed(self, pair: str) -> DataFrame | None:
        data = getattr(self, "dp", None)
        if data is None:
            return None
        frame, _ = data.get_analyzed_dataframe(pair, self.timeframe)
        return frame if len(frame) and "date" in frame.columns else None

    def _is_fresh(self, frame: DataFrame, now: datetime) -> bool:
        """Tell whether the last candle is closed and not older than `stale_after_candles`."""
        candle = timedelta(minutes=timeframe_to_minutes(self.timeframe))
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
