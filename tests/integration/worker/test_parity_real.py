"""The kernel against Freqtrade's own Backtesting on real candles, with the pack's strategies.

Tier 1 takes a few; `long` a seeded sample; `prove` every strategy × both margin modes × 25 random
parameter sets (FREQFLEET_PARITY_SETS) × three periods. `prove` writes each result to FREQFLEET_PROOF
(JSON lines) and skips what stands there, so that it can be stopped and taken up again.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from freqtrade.persistence import LocalTrade

from automation.core.paths import configs, strategies
from automation.worker.compare import differences
from automation.worker.engine import evaluate, prepare
from automation.worker.jobs import EngineJob, Parameters, Trailing
from automation.worker.prepared import Prepared
from automation.worker.reference import evaluate_with_freqtrade

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
        max_open_trades=int(random.choice([-1, 1, 2, 3])),
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


def proof_file(root: Path) -> Path:
    return Path(os.environ.get("FREQFLEET_PROOF", root / "user_data" / "proof-engine.jsonl"))


@pytest.mark.prove
@pytest.mark.timeout(36000)
@pytest.mark.parametrize("strategy", PACK)
@pytest.mark.parametrize("period", sorted(PERIODS))
@pytest.mark.parametrize("margin", MARGINS)
def test_every_strategy_agrees_in_full(root, data_dir, facts, strategy, period, margin):
    proofs = proof_file(root)
    proofs.parent.mkdir(parents=True, exist_ok=True)
    done = proofs.read_text().splitlines() if proofs.exists() else []
    known = {tuple(json.loads(line)["job"]) for line in done}
    names = [(strategy, period, margin, SEED, number) for number in range(SETS)]
    wanted = [name for name in names if name not in known]
    prepared = ready(strategy, PERIODS[period], margin, data_dir, facts) if wanted else None
    for name in wanted:
        parameters = drawn(prepared, np.random.default_rng([SEED, 2, name[-1]]))
        trades = compared(prepared, parameters)
        line = {"job": name, "trades": trades, "parameters": asdict(parameters)}
        with proofs.open("a") as file:
            file.write(json.dumps(line, default=str) + "\n")
