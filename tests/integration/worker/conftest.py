"""Small random markets and strategies, run by the kernel and by Freqtrade side by side.

A `Case` is what one comparison is made of; `Arena` loads Freqtrade once and then swaps market and
settings in memory, so that a case costs what the two backtests cost.
"""

import hashlib
import json
import os
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from freqtrade import __version__
from freqtrade.data.btanalysis import get_tick_size_over_time
from freqtrade.enums import MarginMode

from automation.core.paths import root, strategies
from automation.simulator.rules import KNOWN, exchange_info, symbol_info
from automation.worker.engine import evaluate, prepare
from automation.worker.jobs import EngineJob, Parameters, Trailing
from automation.worker.prepared import Prepared, baseline_of
from automation.worker.reference import evaluate_with_freqtrade
from automation.worker.results import EngineResult

STRATEGIES = Path(__file__).parent / "strategies"
PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT", "XRP/USDT:USDT")
CANDLE_S = 300


def exchange_facts(pairs: tuple[str, ...]) -> dict[str, Any]:
    """exchangeInfo for the pairs, with Binance's own ticks, steps and limits."""
    bases = [pair.split("/")[0] for pair in pairs]
    rows = [
        symbol_info((f"{base}USDT", base, "USDT"), KNOWN[f"{base}USDT"], 0, "TRADING")
        for base in bases
    ]
    return exchange_info(rows, 0)


@dataclass(frozen=True)
class Case:
    """Everything that is drawn for one comparison."""

    seed: int
    pairs: int = 2
    candles: int = 240
    month_break: int = 120  # candles before the month, and perhaps the tick, changes
    swing: float = 0.002
    gap: float = 0.05
    late: int = 0  # candles by which the second pair starts late
    early: int = 0  # candles by which the last pair ends early
    signal: float = 0.05
    wild: bool = False  # opens outside the candle: orders that do not fill
    stoploss: float = -0.05
    roi: dict[int, float] = field(default_factory=dict)
    trailing: Trailing = field(default_factory=lambda: Trailing(False))
    use_exit_signal: bool = True
    exit_profit_only: bool = False
    exit_profit_offset: float = 0.0
    ignore_roi: bool = False
    entry: str = "limit"
    exit: str = "limit"
    timeout: int = 10
    slots: int = 2
    stake: float | str = "unlimited"
    amend: bool = False
    wallet: float = 1000.0
    fee: float = 0.0005
    can_short: bool = True
    margin: str = "isolated"
    protections: tuple[dict[str, Any], ...] = ()
    # of the pack
    custom_stop: bool = True
    risk_per_trade: float = 0.01
    trail_after_r: float = float("inf")
    liquidation_margin: float = 0.5
    drawdown: float = 0.1
    daily_loss: float = 0.02
    open_risk: float = 0.015
    exposure: float = 3.0
    time_stop: float = float("inf")
    least_r: float = 0.0
    budget: float = 0.0015
    slices: bool = False
    most_entries: int = 4
    most_slices: float = 5.0
    participation: float = 0.02
    off_hours: bool = False  # funding stamps on any candle, not on full hours only


class Arena:
    """Freqtrade loaded once with one strategy; cases are swapped in."""

    def __init__(self, strategy: str, folder: Path) -> None:
        for pair in PAIRS:
            write_pair(folder, pair)
        self.prepared = prepare(
            EngineJob(
                strategy,
                folder,
                "",
                PAIRS,
                strategy_path=STRATEGIES,
                exchange_info=exchange_facts(PAIRS),
            )
        )
        self.pack = strategy.startswith("Pack")

    def set(self, case: Case) -> Prepared:
        """Put the case's market and settings in place."""
        loaded = self.prepared.loaded
        bt, strategy = loaded.backtesting, loaded.strategy
        frames = market(case)
        loaded.candles.clear()
        loaded.candles.update(frames)
        bt.price_pair_prec = {p: tick_sizes(f) for p, f in frames.items() if has_decimals(f)}
        bt.futures_data = {p: funding(bt, f, case) for p, f in frames.items()}
        self._money(bt, case)
        self._strategy(bt, strategy, case)
        return Prepared(loaded, baseline_of(strategy))

    def run(self, case: Case) -> tuple[EngineResult, EngineResult]:
        """Answer the kernel's and Freqtrade's result."""
        self.last = self.set(case)
        parameters = self.parameters(case)
        ours = evaluate(self.last, parameters)
        return ours, evaluate_with_freqtrade(self.last, parameters)

    def parameters(self, case: Case) -> Parameters:
        return Parameters(
            stoploss=case.stoploss,
            roi=case.roi,
            trailing=case.trailing,
            max_open_trades=case.slots,
        )

    def _money(self, bt: Any, case: Case) -> None:
        config = bt.config
        config["stake_amount"] = case.stake
        config["amend_last_stake_amount"] = case.amend
        config["dry_run_wallet"] = case.wallet
        config["unfilledtimeout"] = {"entry": case.timeout, "exit": case.timeout}
        bt.wallets._start_cap = {"USDT": case.wallet}
        bt.reset_backtest(False)
        bt.wallets.update()
        bt.starting_balance = bt.wallets.get_starting_balance()
        bt.fee = case.fee
        bt.enable_protections = bool(case.protections)
        config["enable_protections"] = bt.enable_protections
        mode = MarginMode(case.margin)
        bt.margin_mode = bt.exchange.margin_mode = config["margin_mode"] = mode

    def _strategy(self, bt: Any, strategy: Any, case: Case) -> None:
        strategy.use_exit_signal = case.use_exit_signal
        strategy.exit_profit_only = case.exit_profit_only
        strategy.exit_profit_offset = case.exit_profit_offset
        strategy.ignore_roi_if_entry_signal = case.ignore_roi
        kinds = {"entry": case.entry, "exit": case.exit}
        strategy.order_types = {**strategy.order_types, **kinds}
        strategy.can_short = bt._can_short = case.can_short
        strategy.protections = [dict(protection) for protection in case.protections]
        if self.pack:
            strategy.use_custom_stoploss = case.custom_stop
            strategy.risk_per_trade_frac = case.risk_per_trade
            strategy.trail_after_r = case.trail_after_r
            strategy.liquidation_margin_frac = case.liquidation_margin
            strategy.assumed_maintenance_frac = 0.004
            strategy.position_adjustment_enable = case.slices
            strategy.max_entry_position_adjustment = case.most_entries
            strategy.most_slices = case.most_slices
            strategy.slice_participation = case.participation
            strategy.profile = strategy.profile._replace(
                drawdown_frac=case.drawdown,
                daily_loss_frac=case.daily_loss,
                open_risk_frac=case.open_risk,
                exposure_cap=case.exposure,
            )
            strategy.time_stop_candles, strategy.time_stop_least_r = case.time_stop, case.least_r
            strategy.slippage_budget_frac = case.budget


def write_pair(folder: Path, pair: str) -> None:
    """Write the few candles that loading needs; cases replace them."""
    futures = folder / "futures"
    futures.mkdir(parents=True, exist_ok=True)
    name = pair.replace("/", "_").replace(":", "_")
    dates = pd.date_range("2024-01-31", periods=36, freq="5min", tz="UTC").as_unit("ms")
    candles = pd.DataFrame(
        {"date": dates, "open": 9.5, "high": 9.5, "low": 9.5, "close": 9.5, "volume": 0.0}
    )
    candles.to_feather(futures / f"{name}-5m-futures.feather")
    hours = candles.iloc[::12].reset_index(drop=True)
    hours.to_feather(futures / f"{name}-1h-mark.feather")
    rates = pd.DataFrame({"date": hours["date"], "funding_rate": 0.0001})
    rates.to_feather(futures / f"{name}-1h-funding_rate.feather")


def market(case: Case) -> dict[str, pd.DataFrame]:
    """Make every pair's candles: a walk in whole ticks with jumps, and signals as volume."""
    month = int(datetime(2024, 2, 1, tzinfo=UTC).timestamp())
    start = month - case.month_break * CANDLE_S
    frames = {}
    for k in range(case.pairs):
        random = np.random.default_rng([case.seed, k])
        frame = candles(case, random, start)
        first = case.late if k == 1 else 0
        last = case.candles - (case.early if k == case.pairs - 1 and k > 0 else 0)
        frames[PAIRS[k]] = frame.iloc[first:last].reset_index(drop=True)
    return frames


def candles(case: Case, random: np.random.Generator, start: int) -> pd.DataFrame:
    count = case.candles
    decimals = np.where(np.arange(count) < case.month_break, *random.integers(0, 4, 2))
    scale = float(random.choice([0.6, 3.0, 25.0, 180.0, 2500.0, 42000.0]))
    decimals = decimals + (2 if scale < 100 else 0)
    unit = 10.0**decimals
    steps = random.normal(0, case.swing, count) + np.where(
        random.random(count) < case.gap, random.normal(0, 8 * case.swing, count), 0.0
    )
    close = scale * np.exp(np.cumsum(steps))
    opens = np.concatenate([[scale], close[:-1]])
    opens *= np.where(
        random.random(count) < case.gap, np.exp(random.normal(0, case.swing, count)), 1
    )
    wick = np.abs(random.normal(0, case.swing, (2, count))) * (random.random((2, count)) < 0.8)
    o, c = np.floor(opens * unit + 0.5), np.floor(close * unit + 0.5)
    h = np.maximum(np.maximum(o, c), np.floor(np.maximum(opens, close) * (1 + wick[0]) * unit))
    low = np.minimum(np.minimum(o, c), np.ceil(np.minimum(opens, close) * (1 - wick[1]) * unit))
    o, h, low, c = (np.maximum(prices, 1.0) for prices in (o, h, low, c))
    if case.wild:
        odd = random.random(count) < 0.3
        o = np.where(odd, np.where(random.random(count) < 0.5, h + 2, np.maximum(low - 2, 1.0)), o)
    return pd.DataFrame(
        {
            "date": pd.to_datetime(start + CANDLE_S * np.arange(count), unit="s", utc=True).as_unit(
                "ms"
            ),
            "open": o / unit,
            "high": h / unit,
            "low": low / unit,
            "close": c / unit,
            "volume": codes(case, random).astype(np.float64),
        }
    )


def has_decimals(frame: pd.DataFrame) -> bool:
    """Freqtrade cannot tell the tick of a pair that has whole prices only; then the exchange's counts."""
    return any((frame[name] % 1 != 0).any() for name in ("open", "high", "low", "close"))


def tick_sizes(frame: pd.DataFrame) -> pd.Series:
    return get_tick_size_over_time(frame)


def codes(case: Case, random: np.random.Generator) -> Any:
    """Draw the signal bits of every candle; the lowest is never 0, or PackStrategy skips the row."""
    count = case.candles
    code = np.zeros(count, dtype=np.int64)
    for bit in range(4):
        code |= (random.random(count) < case.signal).astype(np.int64) << bit
    code |= (random.random(count) < 0.5).astype(np.int64) << 4
    code |= (random.random(count) < 0.5).astype(np.int64) << 5
    risk = random.integers(0, 256, count) | ((random.random(count) < 0.03).astype(np.int64) << 8)
    return code | risk << 6 | (random.random(count) < 0.3).astype(np.int64) << 15


def funding(bt: Any, frame: pd.DataFrame, case: Case) -> pd.DataFrame:
    """Make hourly mark prices and funding rates, some of them missing."""
    random = np.random.default_rng([case.seed, 99])
    whole = (frame["date"].dt.minute == 0) | (case.off_hours & (frame["date"].dt.minute % 20 == 5))
    mark = frame.loc[whole, ["date", "open", "high", "low", "close", "volume"]].reset_index(
        drop=True
    )
    mark["open"] *= 1.0 + random.normal(0, 0.0005, len(mark))
    kept = random.random(len(mark)) < 0.7
    rates = pd.DataFrame({"date": mark["date"], "funding_rate": random.normal(0, 0.001, len(mark))})
    return bt.exchange.combine_funding_and_mark(rates[kept].reset_index(drop=True), mark)


class Proofs:
    """What has been compared, in a file of JSON lines; lines of other code do not count."""

    def __init__(self, file: Path) -> None:
        self._file, self._code = file, code()
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = map(json.loads, file.read_text().splitlines() if file.exists() else ())
        self._known = {tuple(line["job"]) for line in lines if line["code"] == self._code}

    def left(self, names: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Return which of the names have not been compared yet."""
        return [name for name in names if name not in self._known]

    def add(self, name: tuple[Any, ...], **told: Any) -> None:
        """Note that a comparison agreed."""
        line = json.dumps({"job": name, "code": self._code, **told}, default=str)
        with self._file.open("a") as file:
            file.write(line + "\n")


def code() -> str:
    """Fingerprint engine, pack and Freqtrade."""
    digest = hashlib.sha256(__version__.encode())
    for folder in (root() / "automation" / "worker", strategies()):
        for file in sorted(folder.rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


@pytest.fixture(scope="session")  # the code that was loaded, whatever is edited meanwhile
def proofs() -> Proofs:
    return Proofs(
        Path(os.environ.get("FREQFLEET_PROOF", root() / "user_data" / "proof-engine.jsonl"))
    )


@pytest.fixture(scope="session")
def arenas(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Arena]:
    """One arena a strategy."""
    folder = tmp_path_factory.mktemp("arena")
    assert "tradekit" in sys.modules
    return {name: Arena(name, folder) for name in ("ProbeStrategy", "PackProbeStrategy")}


@pytest.fixture(scope="session")
def case_type() -> type[Case]:
    """The class of a case; test modules cannot import a conftest."""
    return Case


@pytest.fixture(scope="session")
def facts() -> Any:
    """Make exchangeInfo for pairs."""
    return exchange_facts


@pytest.fixture(scope="session")
def probes() -> Path:
    """The folder of the tests' own strategies."""
    return STRATEGIES
