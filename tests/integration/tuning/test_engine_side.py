"""What a tuning worker adds to the engine: the first slice, losses, spaces; each against Freqtrade's own."""

import json
from dataclasses import asdict

import pytest

from automation.app.tuning_job import exchange_facts
from automation.core.tunings import TuneJob
from automation.worker.compare import differences
from automation.worker.engine import evaluate
from automation.worker.jobs import Parameters
from automation.worker.losses import Losses
from automation.worker.reference import evaluate_with_freqtrade
from automation.worker.results import read, save
from automation.worker.tuning import Bench

pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")
LOSSES = ("SharpeHyperOptLossDaily", "CalmarTailLoss", "MaxDrawDownPerPairHyperOptLoss")


@pytest.fixture
def bench(request_of):
    request = request_of()
    job = TuneJob(
        strategy=request.strategy,
        data=request.data,
        timerange=request.timerange,
        pairs=request.pairs,
        losses=LOSSES,
        spaces=("buy", "sell", "roi", "stoploss", "trailing"),
        strategy_path=request.strategy_path,
        exchange_info=exchange_facts(request.data, request.pairs),
    )
    return Bench({**json.loads(json.dumps(asdict(job), default=str)), "tests": False})


def test_slices_losses_and_spaces_are_freqtrades(bench, tmp_path):
    prepared = bench.prepared
    current = bench.searchable.current()
    assert current["buy_fast"] == 12
    assert current["stoploss"] == -0.05
    parameters = Parameters(values={"buy_fast": 9, "sell_gap": 1}, stoploss=-0.03)
    for frac in (0.25, 0.6):
        prepared.heads.clear()
        with prepared.first_part(frac):
            ours, theirs = (
                evaluate(prepared, parameters),
                evaluate_with_freqtrade(prepared, parameters),
            )
        assert ours.engine == "kernel"
        assert len(ours.trades) > 3
        assert differences(ours, theirs, tolerance=0.0) == []
    ours, theirs = evaluate(prepared, parameters), evaluate_with_freqtrade(prepared, parameters)
    losses = Losses(prepared, LOSSES)
    assert losses.of(ours) == pytest.approx(losses.of(theirs), rel=1e-9)
    assert losses.of(ours)[0] != 100_000
    save(theirs, tmp_path / "kept.npz")
    assert differences(read(tmp_path / "kept.npz"), theirs, tolerance=0.0) == []

    names = [each.name for each in bench.searchable.dimensions]
    assert names[:5] == ["buy_fast", "buy_gap", "sell_gap", "roi_t1", "roi_t2"]
    values = {
        "buy_fast": 9,
        "buy_gap": 0.001,
        "sell_gap": 1,
        "stoploss": -0.03,
        "trailing_stop": True,
        "roi_t1": 60,
        "roi_t2": 30,
        "roi_t3": 20,
        "roi_p1": 0.01,
        "roi_p2": 0.02,
        "roi_p3": 0.1,
        "trailing_stop_positive": 0.02,
        "trailing_stop_positive_offset_p1": 0.01,
        "trailing_only_offset_is_reached": False,
    }
    sections = bench.searchable.sections(values)
    assert sections["roi"] == {"0": 0.13, "20": 0.03, "50": 0.01, "110": 0.0}
    assert sections["trailing"]["trailing_stop_positive_offset"] == 0.03
    told = bench.answer({"n": 1, "v": values, "b": [1e300] * 3})
    assert not told["s"]
    assert len(told["l"]) == len(told["h"]) == 3
    stopped = bench.answer({"n": 1, "v": values, "b": [-1e300] * 3})
    assert stopped["s"]
    assert stopped["l"] == ()
    assert stopped["f"]["trades"] < told["f"]["trades"]
