"""The kernel against Freqtrade's own Backtesting on real candles, with the pack's strategies.

Tier 1 takes a few; `long` a seeded sample; `prove` every strategy × both margin modes × 25 random
parameter sets (FREQFLEET_PARITY_SETS) × three periods. `prove` writes each result to FREQFLEET_PROOF
(JSON lines) and skips what stands there for the same code, so that it can be stopped and taken up
again. A job is loaded once for all its sets, and callbacks get shallow copies of their trades
(`shallow_copies`); that neither changes a trade is seen by one set of each job that also goes
through the whole command line.
"""

import asyncio
import copy
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from freqtrade.persistence import LocalTrade
from freqtrade.strategy import strategy_wrapper

from automation.backtest import FreqtradeBacktester
from automation.core.backtests import BacktestJob
from automation.core.paths import configs, strategies
from automation.simulator import freqtrade_overlay, open_market, serving
from automation.worker.compare import differences
from automation.worker.engine import evaluate, prepare
from automation.worker.exports import exported
from automation.worker.jobs import EngineJob, Parameters, Trailing
from automation.worker.loading import PACK_LAYERS
from automation.worker.prepared import Prepared
from automation.worker.reference import evaluate_with_freqtrade
from automation.worker.ticks import kept_ticks

# Freqtrade's own use of pandas, not ours.
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.filterwarnings("ignore:The inplace keyword"),
]

THREE = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT")
FIVE = (*THREE, "BNB/USDT:USDT", "XRP/USDT:USDT")
PACK = sorted(file.stem for file in strategies().glob("*Strategy.py"))
MARGINS = ("isolated", "cross")
SEED = int(os.environ.get("FREQFLEET_PARITY_SEED", "20241105"))
SETS = int(os.environ.get("FREQFLEET_PARITY_SETS", "25"))


@dataclass(frozen=True)
class Period:
    """A range of real candles; `weeks` cuts it for the smaller tiers."""

    timerange: str
    pairs: tuple[str, ...]
    timeframe: str


CRASH = Period("20240722-20240819", THREE, "5m")
YEAR = Period("20250101-20250201", FIVE, "5m")
LUNA = Period("20220601-20220701", FIVE, "15m")
PERIODS = {"2024-08": CRASH, "2025-01": YEAR, "2022-06": LUNA}
SHORT = {
    "2024-08": Period("20240803-20240808", THREE, "5m"),
    "2025-01": Period("20250118-20250123", FIVE, "5m"),
    "2022-06": Period("20220611-20220617", FIVE, "15m"),
}


def ready(
    strategy: str, period: Period, margin: str, data: Path, facts: Any, more: Any = None
) -> Prepared:
    return prepare(
        EngineJob(
            strategy,
            data,
            period.timerange,
            period.pairs,
            overrides={
                "margin_mode": margin,
                "timeframe": period.timeframe,
                "enable_protections": True,
                **(more or {}),
            },
            exchange_info=facts(period.pairs),
        )
    )


def drawn(prepared: Prepared, random: np.random.Generator) -> Parameters:
    """Draw a value for every parameter of the strategy, and stop, ROI, trailing and slots."""
    values = {}
    for name, parameter in prepared.strategy.enumerate_parameters():
        space = parameter.get_space(name)
        if hasattr(space, "choices"):
            values[name] = space.choices[int(random.integers(len(space.choices)))]
        elif isinstance(parameter.value, int):
            values[name] = int(random.integers(space.low, space.high + 1))
        else:
            values[name] = round(float(random.uniform(space.low, space.high)), 3)
    roi = {0: 0.08, 60: 0.03, 360: 0.0} if random.random() < 0.5 else {}
    return Parameters(
        values=values,
        stoploss=float(random.choice([-0.5, -0.1, -0.03])),
        roi=roi,
        trailing=Trailing(bool(random.random() < 0.3), 0.01, 0.02, bool(random.random() < 0.5)),
        max_open_trades=int(random.choice([1, 2, 3, 5])),
    )


def compared(prepared: Prepared, parameters: Parameters) -> int:
    """Run both and compare bit by bit; answer how many trades there were."""
    ours = evaluate(prepared, parameters)
    theirs = evaluate_with_freqtrade(prepared, parameters)
    assert ours.engine == "kernel", ours.reasons
    assert [str(found) for found in differences(ours, theirs, tolerance=0.0)] == []
    return len(theirs.trades)


@pytest.mark.parametrize(
    ("strategy", "period", "margin"),
    [
        ("TrendFollowingStrategy", "2024-08", "isolated"),
        ("MeanReversionStrategy", "2025-01", "cross"),
    ],
)
def test_trades_on_real_candles_are_freqtrades(data_dir, facts, strategy, period, margin):
    prepared = ready(strategy, SHORT[period], margin, data_dir, facts)
    random = np.random.default_rng(SEED)
    counts = [compared(prepared, drawn(prepared, random)) for _ in range(2)]
    assert sum(counts) > 5


def test_a_plain_strategy_on_real_candles_is_freqtrades(data_dir, facts, probes):
    job = EngineJob(
        "CrossStrategy",
        data_dir,
        SHORT["2024-08"].timerange,
        THREE,
        strategy_path=probes,
        exchange_info=facts(THREE),
        overrides={"enable_protections": True},
    )
    prepared = prepare(job)
    assert compared(prepared, Parameters()) > 20
    # A parameter that the indicators read: the columns must follow it.
    assert compared(prepared, Parameters(values={"buy_fast": 30}, stoploss=-0.01)) > 20


@pytest.mark.parametrize(
    ("strategy", "margin"),
    [
        ("MeanReversionStrategy", "isolated"),
        pytest.param("VolatilityBreakoutStrategy", "cross", marks=pytest.mark.long),
    ],
)
def test_sliced_entries_on_real_candles_are_freqtrades(data_dir, facts, strategy, margin):
    slices = {**json.loads((configs() / "slices.json").read_text()), "dry_run_wallet": 5e6}
    prepared = ready(strategy, SHORT["2024-08"], margin, data_dir, facts, slices)
    assert compared(prepared, Parameters()) > 2
    assert max(trade.nr_of_successful_entries for trade in LocalTrade.bt_trades) > 1


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("strategy", PACK)
@pytest.mark.parametrize("period", sorted(SHORT))
@pytest.mark.parametrize("margin", MARGINS)
def test_every_strategy_agrees_on_real_candles(data_dir, facts, strategy, period, margin):
    prepared = ready(strategy, SHORT[period], margin, data_dir, facts)
    random = np.random.default_rng([SEED, 1])
    for _ in range(2):
        compared(prepared, drawn(prepared, random))


@pytest.fixture
def shallow_copies(monkeypatch):
    """Let Freqtrade copy a trade shallowly for a callback: its deep copies are half of a backtest's time.

    They differ only where a callback changes its trade's orders; PackStrategy's change nothing of it.
    """
    monkeypatch.setattr(strategy_wrapper, "deepcopy", copy.copy)


def random_of(name: tuple[Any, ...]) -> np.random.Generator:
    """The random numbers of a named set; the same for every job."""
    return np.random.default_rng([SEED, 2, name[-1]])


@pytest.mark.prove
@pytest.mark.timeout(36000)
@pytest.mark.parametrize("strategy", PACK)
@pytest.mark.parametrize("period", sorted(PERIODS))
@pytest.mark.parametrize("margin", MARGINS)
def test_every_strategy_agrees_in_full(
    proofs, shallow_copies, data_dir, facts, strategy, period, margin
):
    wanted = proofs.left([(strategy, period, margin, SEED, number) for number in range(SETS)])
    with kept_ticks():
        prepared = ready(strategy, PERIODS[period], margin, data_dir, facts) if wanted else None
    for name in wanted:
        begun = time.process_time()
        parameters = drawn(prepared, random_of(name))
        trades = compared(prepared, parameters)
        cpu_s = round(time.process_time() - begun, 2)
        proofs.add(name, trades=trades, cpu_s=cpu_s, parameters=asdict(parameters))


def sections(prepared: Prepared, parameters: Parameters) -> dict[str, Any]:
    """The parameters as Freqtrade's own file holds them."""
    made: dict[str, Any] = {}
    for name, parameter in prepared.strategy.enumerate_parameters():
        made.setdefault(parameter.space or name.split("_")[0], {})[name] = parameters.values[name]
    trailing = parameters.trailing
    return made | {
        "roi": {str(minutes): part for minutes, part in parameters.roi.items()},
        "stoploss": {"stoploss": parameters.stoploss},
        "trailing": {
            "trailing_stop": trailing.stop,
            "trailing_stop_positive": trailing.positive,
            "trailing_stop_positive_offset": trailing.offset,
            "trailing_only_offset_is_reached": trailing.only_offset,
        },
    }


def commanded(job: EngineJob, written: dict[str, Any], slots: int, folder: Path) -> dict[str, Any]:
    """Let `freqtrade backtesting` run on a copy of the pack that has a parameter file."""
    shutil.copytree(strategies(), folder / "pack", ignore=shutil.ignore_patterns("__pycache__"))
    document = {"strategy_name": job.strategy, "params": written, "ft_stratparam_v": 1}
    (folder / "pack" / f"{job.strategy}.json").write_text(json.dumps(document))
    last = folder / "last.json"
    last.write_text(json.dumps({**job.overrides, "max_open_trades": slots}))
    with serving(open_market(job.data)) as simulator:
        backtester = FreqtradeBacktester(freqtrade_overlay(simulator.url, job.pairs))
        asked = BacktestJob(
            strategies=(job.strategy,),
            data=job.data,
            timerange=job.timerange,
            pairs=job.pairs,
            results=folder / "results",
            configs=(*(configs() / name for name in PACK_LAYERS), last),
            strategy_path=folder / "pack",
        )
        return asyncio.run(backtester.run(asked))[0].raw


@pytest.mark.prove
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("strategy", PACK)
@pytest.mark.parametrize("period", sorted(PERIODS))
@pytest.mark.parametrize("margin", MARGINS)
def test_the_whole_command_agrees(proofs, data_dir, facts, strategy, period, margin, tmp_path):
    """One set of each job by the command line, which loads everything anew."""
    name = ("command", strategy, period, margin, SEED, 0)
    if not proofs.left([name]):
        return
    with kept_ticks():
        prepared = ready(strategy, PERIODS[period], margin, data_dir, facts)
    parameters = drawn(prepared, random_of(name))
    ours = evaluate(prepared, parameters)
    assert ours.engine == "kernel", ours.reasons
    written = sections(prepared, parameters)
    raw = commanded(prepared.loaded.job, written, parameters.max_open_trades, tmp_path)
    theirs = exported(raw, PERIODS[period].pairs)
    # A result file has no fill times.
    unlike = [found for found in differences(ours, theirs) if found.field != "fill_time"]
    assert [str(found) for found in unlike] == []
    proofs.add(name, trades=len(theirs.trades), parameters=asdict(parameters))
