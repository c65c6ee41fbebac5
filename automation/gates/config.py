"""The gate's configuration, `configs/gate.yaml`: what is judged, over what, and how strictly.

Frozen models; unknown keys are refused. Paths are relative to the repository. Read by `settings`.
"""

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from automation.core.config import Strict
from automation.core.timerange import parse_timerange

CheckName = Literal[
    "loads",
    "runs",
    "zero trades",
    "trades a month",
    "profit factor",
    "drawdown",
    "worst day",
    "liquidations",
    "exposure",
    "trade risk",
    "truncation",
    "recursive",
    "look-ahead",
    "stops",
    "comparison",
]
Range = Annotated[str, StringConstraints(pattern=r"^\d{8}-\d{8}$")]


class Limits(Strict):
    """Floors and ceilings on a strategy's figures over all windows; null switches one off."""

    least_trades_a_month: float | None = Field(
        default=3.0, ge=0, description="Trades a month, all pairs together."
    )
    least_profit_factor: float | None = Field(
        default=None, ge=0, description="Gains over losses of all trades."
    )
    most_drawdown_frac: float | None = Field(
        default=0.35, gt=0, le=1, description="Deepest drawdown of a window, fraction of equity."
    )
    most_worst_day_frac: float | None = Field(
        default=0.10, gt=0, le=1, description="Largest loss of one day, fraction of equity."
    )
    most_liquidations: int | None = Field(
        default=0, ge=0, description="Liquidated trades, all windows together."
    )
    most_exposure: float | None = Field(
        default=5.0, gt=0, description="Highest sum of open notionals over equity."
    )
    most_trade_risk_frac: float | None = Field(
        default=0.05,
        gt=0,
        le=1,
        description="Loss at the stop, fraction of the starting balance; 95th percentile of trades.",
    )


class ComparisonSettings(Strict):
    """How a changed strategy is compared with its base."""

    confidence: float = Field(
        default=0.95,
        gt=0.5,
        lt=1,
        description="One minus the chance that a change that is not worse is called worse.",
    )
    block_days: float = Field(
        default=5.0, ge=1, description="Mean length of the blocks of days that are resampled."
    )
    resamples: int = Field(default=2000, ge=200, le=100_000, description="Resamples drawn.")
    seed: int = Field(default=1, ge=0, description="Seed of the resampling.")
    tolerated_bps_day: float = Field(
        default=0.0, ge=0, description="Loss of return a day that is tolerated, basis points."
    )
    tolerated_sharpe: float = Field(
        default=0.0, ge=0, description="Loss of annual Sharpe ratio that is tolerated."
    )
    tolerated_drawdown_frac: float = Field(
        default=0.02, ge=0, description="Increase of the deepest drawdown that is tolerated."
    )
    tolerated_worst_days_frac: float = Field(
        default=0.001,
        ge=0,
        description="Increase of the mean loss of the worst 5 % of days that is tolerated.",
    )
    most_stop_widening: float = Field(
        default=1.5, ge=1, description="Loss at the stop over that of the base, at most."
    )


class LookaheadSettings(Strict):
    """Freqtrade's lookahead-analysis."""

    trades: int = Field(
        default=100, ge=1, description="Trades examined in all, spread over the windows."
    )
    least_trades: int = Field(
        default=30, ge=1, description="Below this the strategy is not judged, which is no pass."
    )
    time_s: float = Field(
        default=300.0, gt=0, description="Time limit of one window, seconds of processor time."
    )
    memory_mb: float = Field(default=2500.0, gt=0, description="Memory limit, MB.")


class RecursiveSettings(Strict):
    """Freqtrade's recursive-analysis."""

    most_variance_frac: float = Field(
        default=0.02,
        ge=0,
        description="Largest change of an indicator's last value at the strategy's own start-up "
        "length, compared with a longer one; 0.02 is 2 %.",
    )


class TruncationSettings(Strict):
    """The truncation test: rows must not change when later candles are taken away."""

    cuts: int = Field(default=16, ge=1, description="Instants at which the data is cut, per pair.")
    pairs: int = Field(default=2, ge=1, description="Pairs that are tried, the first of the list.")
    days: int = Field(default=10, ge=1, description="Days of candles after the start-up period.")


class ProcessLimits(Strict):
    """What one backtest, or one process of checks, may use."""

    time_s: float = Field(default=300.0, gt=0, description="Time limit, seconds of processor time.")
    memory_mb: float = Field(default=2500.0, gt=0, description="Memory limit, MB.")


class Otherwise(Strict):
    """Limits that differ for one strategy, and why."""

    reason: str = Field(min_length=10, description="Why this strategy is judged otherwise.")
    limits: Limits = Field(description="Its own limits, all of them.")


class GateSettings(Strict):
    """The whole of `gate.yaml`."""

    strategies: tuple[Path, ...] = Field(
        default=(Path("strategies"),), min_length=1, description="Folders of strategies."
    )
    configs: tuple[Path, ...] = Field(
        default=(), description="Freqtrade configurations, layered; without any the pack's own."
    )
    skip: dict[str, str] = Field(
        default={}, description="Strategies that are not judged: name, and the reason."
    )
    bundle: Path | None = Field(default=None, description="The bundle, unless named with --bundle.")
    baseline: Path | None = Field(
        default=None, description="Stored results of the base; what it lacks is computed."
    )
    windows: int | tuple[Range, ...] = Field(
        default=3,
        description="Ranges like 20250101-20250301, or into how many to split the bundle's.",
    )
    without: tuple[CheckName, ...] = Field(
        default=(), description="Checks that are left out; every report says so."
    )
    arguments: tuple[str, ...] = Field(
        default=(), description="Passed to freqtrade backtesting, like --enable-protections."
    )
    limits: Limits = Field(default=Limits(), description="Floors and ceilings for every strategy.")
    exceptions: dict[str, Otherwise] = Field(
        default={}, description="Other floors and ceilings, by strategy."
    )
    comparison: ComparisonSettings = Field(
        default=ComparisonSettings(), description="The comparison with the base."
    )
    lookahead: LookaheadSettings = Field(
        default=LookaheadSettings(), description="The look-ahead analysis."
    )
    recursive: RecursiveSettings = Field(
        default=RecursiveSettings(), description="The recursive analysis."
    )
    truncation: TruncationSettings = Field(
        default=TruncationSettings(), description="The truncation test."
    )
    process: ProcessLimits = Field(default=ProcessLimits(), description="Limits of one process.")

    @model_validator(mode="after")
    def _check_windows(self) -> Self:
        if isinstance(self.windows, int):
            if not 1 <= self.windows <= 24:
                raise ValueError("windows: between 1 and 24, or a list of ranges")
            return self
        spans = sorted(
            (span.start or _EARLY, span.end or _EARLY)
            for span in map(parse_timerange, self.windows)
        )
        for before, after in pairwise(spans):
            if after[0] < before[1]:
                raise ValueError("windows overlap; the same day would count twice")
        return self

    def limits_of(self, strategy: str) -> Limits:
        """Give the floors and ceilings for one strategy."""
        exception = self.exceptions.get(strategy)
        return exception.limits if exception else self.limits


_EARLY = datetime.fromtimestamp(0, UTC)
