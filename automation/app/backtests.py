"""Backtests as a user asks for them: data checked, a private exchange, Freqtrade, one answer.

Called by the command line; gates and tuning will reach the same run through `core.backtests`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from automation.app.coverage import Coverage, cover
from automation.backtest import FreqtradeBacktester, find_strategy
from automation.backtest.userconfig import UserConfig, read_configs
from automation.core.backtests import BacktestJob, Progress, StrategyOutcome
from automation.core.errors import ConfigError
from automation.core.paths import configs, root, strategies
from automation.core.timerange import TimeRange, parse_timerange
from automation.simulator import Simulator, freqtrade_overlay, open_market, write_data_folder

_SYNTHETIC_PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT")


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """What the user typed. Without `data` a synthetic market of `seed` is made for the run."""

    strategies: tuple[str, ...]
    timerange: str
    data: Path | None = None
    seed: int = 1
    pairs: tuple[str, ...] = ()
    configs: tuple[Path, ...] = ()
    strategy_path: Path | None = None
    timeframe: str | None = None
    results: Path | None = None
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """What came out, and what its reader should know of the data."""

    timerange: str
    pairs: tuple[str, ...]
    notes: tuple[str, ...]
    outcomes: tuple[StrategyOutcome, ...]


async def backtest(request: BacktestRequest, progress: Progress | None = None) -> BacktestReport:
    """Run the backtests of a request against a private exchange.

    Raises ConfigError before anything starts where strategy, data or configuration do not fit.
    """
    span = parse_timerange(request.timerange)
    if len(set(request.strategies)) < len(request.strategies):
        raise ConfigError("a strategy is named twice", cure="name each once")
    user = read_configs(request.configs)
    timeframes = _timeframes(request, user)
    with _data(request, span, timeframes) as data:
        coverage = cover(data, timeframes, span, request.pairs or user.pairs)
        async with Simulator(open_market(data)) as simulator:
            backtester = FreqtradeBacktester(freqtrade_overlay(simulator.url, coverage.pairs))
            outcomes = await backtester.run(_job(request, data, coverage), progress)
    return BacktestReport(span.text, coverage.pairs, coverage.notes, outcomes)


def _timeframes(request: BacktestRequest, user: UserConfig) -> tuple[str, ...]:
    """Tell the candles that the strategies need, each once."""
    chosen = request.timeframe or user.timeframe
    found = [
        find_strategy(name, request.strategy_path or strategies()) for name in request.strategies
    ]
    if chosen is not None:
        return (chosen,)
    for source in found:
        if source.timeframe is None:
            cure = "name it with --timeframe"
            raise ConfigError(
                f"the timeframe of {source.name} cannot be read", where=str(source.path), cure=cure
            )
    return tuple(dict.fromkeys(source.timeframe for source in found if source.timeframe))


@contextmanager
def _data(request: BacktestRequest, span: TimeRange, timeframes: tuple[str, ...]) -> Iterator[Path]:
    """Use the user's folder, or make a synthetic one that lasts as long as the run."""
    if request.data is not None:
        yield request.data.resolve()
        return
    if span.start is None or span.end is None:
        raise ConfigError(
            "a synthetic market needs both ends of the range", where="--timerange", cure="or --data"
        )
    with TemporaryDirectory(prefix="freqfleet-market-") as folder:
        pairs = request.pairs or _SYNTHETIC_PAIRS
        write_data_folder(Path(folder), pairs, timeframes, span.start, span.end, request.seed)
        yield Path(folder)


def _job(request: BacktestRequest, data: Path, coverage: Coverage) -> BacktestJob:
    layers = ("base.json", "futures.json", "offline.json")
    timeframe = ("--timeframe", request.timeframe) if request.timeframe else ()
    return BacktestJob(
        strategies=request.strategies,
        data=data,
        timerange=request.timerange,
        pairs=coverage.pairs,
        results=request.results or root() / "user_data" / "backtest_results",
        configs=request.configs or tuple(configs() / name for name in layers),
        strategy_path=request.strategy_path,
        arguments=(*timeframe, *request.arguments),
    )
