"""Markets injected, markets served by the simulator, and the real command line: one answer."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

import pytest

from automation.backtest import FreqtradeBacktester
from automation.core.backtests import BacktestJob
from automation.core.paths import configs
from automation.simulator import freqtrade_overlay, open_market, serving, write_data_folder
from automation.worker.compare import differences
from automation.worker.engine import evaluate, prepare
from automation.worker.exports import exported
from automation.worker.jobs import EngineJob
from automation.worker.loading import PACK_LAYERS

# Freqtrade's own use of pandas, not ours.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")

PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT")
TIMERANGE = "20240108-20240113"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten synthetic days."""
    made = tmp_path_factory.mktemp("market")
    start, end = datetime(2024, 1, 3, tzinfo=UTC), datetime(2024, 1, 13, tzinfo=UTC)
    write_data_folder(made, PAIRS, ("5m", "1h"), start, end, 7)
    return made


def test_injected_and_served_markets_and_the_command_line_agree(folder, tmp_path):
    with serving(open_market(folder), at=datetime(2024, 1, 12, tzinfo=UTC)) as simulator:
        with urlopen(f"{simulator.url}/fapi/v1/exchangeInfo") as answer:
            info = json.load(answer)
        overlay = freqtrade_overlay(simulator.url, PAIRS)
        layers = tuple(configs() / name for name in PACK_LAYERS)
        job = {
            "strategy": "DemoPulseStrategy",
            "data": folder,
            "timerange": TIMERANGE,
            "pairs": PAIRS,
        }
        served = evaluate(prepare(EngineJob(**job, overrides=overlay)))
        commanded = asyncio.run(
            FreqtradeBacktester(overlay).run(
                BacktestJob(
                    strategies=("DemoPulseStrategy",),
                    data=folder,
                    timerange=TIMERANGE,
                    pairs=PAIRS,
                    results=tmp_path / "results",
                    configs=layers,
                )
            )
        )
    injected = evaluate(prepare(EngineJob(**job, exchange_info=info)))
    assert injected.engine == served.engine == "kernel"
    assert differences(injected, served, tolerance=0.0) == []
    real = exported(commanded[0].raw, PAIRS)
    unlike = [d for d in differences(injected, real) if d.field != "fill_time"]
    assert [str(difference) for difference in unlike] == []
    assert len(real.trades) > 10
