"""A search on real engines, from the command line's side: found, resumed, verified, put in place."""

import json
import shutil
from dataclasses import replace

import pytest

from automation.app import promotion
from automation.app.promotion import promote, rollback
from automation.app.tuning import show, tune
from automation.core.errors import ConfigError, DependencyError
from automation.core.paths import configs, strategies

pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")


def run(request, notes=None):
    return tune(request, lambda _: None, (notes if notes is not None else []).append)


def outcome(report):
    return [report.summary.best, report.summary.finished, report.summary.stopped]


def test_a_study_is_equal_to_the_digit_and_resumes_without_work(request_of, tmp_path):
    request = request_of(storage=str(tmp_path / "one.sqlite"), workers=1, spaces=("all",))
    first = run(request)
    assert first.summary.answered >= 60
    assert first.spent.trials >= 60
    assert first.summary.study.engine == "kernel"
    assert first.page.read_text().startswith("# StrangerStrategy-20240105-20240113-")
    again = run(request)
    assert again.spent.trials == 0
    assert outcome(again) == outcome(first)
    other = run(replace(request, storage=str(tmp_path / "two.sqlite"), workers=2))
    assert outcome(other) == outcome(first)
    assert other.summary.study.hash() == first.summary.study.hash()


def test_the_chosen_trial_is_verified_written_and_taken_back(request_of, folder):
    spaces = ("buy", "sell", "roi", "stoploss", "trailing", "trades")
    layers = [configs() / name for name in ("base.json", "futures.json", "offline.json")]
    base = json.loads(layers[0].read_text())
    del base["max_open_trades"]  # else it would go before what is found
    base["stake_amount"] = 500  # without a limit of trades, Freqtrade wants one of stakes
    layers[0] = folder.parent / "base.json"
    layers[0].write_text(json.dumps(base))
    found = run(request_of(spaces=spaces, configs=tuple(layers))).summary
    told = promote(None, found.study.name, None, None, lambda _: None)
    assert told.differences == ()
    assert told.trades == found.best.figures["trades"] > 5
    file = folder / "StrangerStrategy.json"
    written = json.loads(file.read_text())
    assert written["strategy_name"] == "StrangerStrategy"
    assert written["params"]["buy"]["buy_fast"] == found.best.values["buy_fast"]
    assert set(written["params"]) == {
        "buy",
        "sell",
        "roi",
        "stoploss",
        "trailing",
        "max_open_trades",
    }
    assert written["freqfleet"]["data_sha256"] == found.study.data_hash
    assert written["freqfleet"]["study_sha256"] == found.study.hash()
    assert rollback("StrangerStrategy", folder) == (file, False)
    assert not file.exists()
    assert rollback("StrangerStrategy", folder) == (file, True)
    assert json.loads(file.read_text()) == written
    with pytest.raises(ConfigError, match="its code is not the same as when the study began"):
        promote(None, found.study.name, None, None, lambda _: None)
    # The next study starts from what is in place now.
    later = run(request_of(trials=3, configs=tuple(layers))).summary
    assert later.current.values["buy_fast"] == found.best.values["buy_fast"]


def test_entries_in_slices_are_tuned_and_verified(request_of, folder, monkeypatch):
    for name in ("DemoPulseStrategy.py", "tradekit"):  # the pack, where it may be written beside
        (shutil.copytree if name == "tradekit" else shutil.copy)(strategies() / name, folder / name)
    rich = folder.parent / "rich.json"
    rich.write_text(json.dumps({"dry_run_wallet": 5e6}))
    names = ("base.json", "futures.json", "offline.json", "slices.json")
    layers = (*(configs() / name for name in names), rich)
    spaces = ("roi", "stoploss")
    found = run(
        request_of("DemoPulseStrategy", spaces=spaces, configs=layers, trials=12, workers=2)
    ).summary
    assert (found.study.engine, found.study.reasons) == ("kernel", ())
    orders = []
    genuine = promotion._freqtrade

    def watched(*arguments):
        raw = genuine(*arguments)
        orders.extend(trade["orders"] for trade in raw["trades"])
        return raw

    monkeypatch.setattr(promotion, "_freqtrade", watched)
    told = promote(None, found.study.name, max(1, found.best.number), None, lambda _: None)
    assert told.differences == ()
    assert told.trades == len(orders) > 5
    assert max(sum(order["ft_is_entry"] for order in each) for each in orders) > 1
    assert json.loads((folder / "DemoPulseStrategy.json").read_text())["params"]["roi"]


def test_trades_that_differ_are_shown_and_nothing_is_written(request_of, folder, monkeypatch):
    found = run(request_of()).summary
    genuine = promotion._text

    def forged(*arguments):
        document = json.loads(genuine(*arguments))
        document["params"]["stoploss"] = {"stoploss": -0.004}
        return json.dumps(document).encode()

    monkeypatch.setattr(promotion, "_text", forged)
    told = promote(None, found.study.name, None, None, lambda _: None)
    assert told.differences
    assert not (folder / "StrangerStrategy.json").exists()


def test_what_the_engine_cannot_do_runs_freqtrades_own_backtest_and_says_so(request_of):
    notes = []
    report = run(request_of("CallbackStrategy", trials=4, workers=2), notes)
    summary = report.summary
    assert summary.study.engine == "freqtrade"
    assert any(
        "the strategy's own custom_exit: Freqtrade's own backtest runs" in note for note in notes
    )
    assert summary.finished == 4
    told = promote(None, summary.study.name, max(1, summary.best.number), None, lambda _: None)
    assert told.differences == ()
    assert told.trades > 3


def test_several_losses_and_constraints(request_of):
    request = request_of(
        losses=(
            "SharpeHyperOptLossDaily",
            "MaxDrawDownHyperOptLoss",
            "MaxDrawDownPerPairHyperOptLoss",
        ),
        constraints=("trades>=10",),
        sampler="nsga3",
        trials=80,
    )
    summary = run(request).summary
    assert summary.front
    assert all(each.figures["trades"] >= 10 for each in summary.front)
    assert show(None, summary.study.name) == summary


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"strategy": "StrangrStrategy"},
            "no strategy is named StrangrStrategy; did you mean StrangerStrategy",
        ),
        (
            {"spaces": ("protection",)},
            "the strategy has no space protection; there are: buy, sell, roi",
        ),
        (
            {"spaces": ("trades",)},
            "the configuration sets max_open_trades, and Freqtrade prefers that",
        ),
        (
            {"timerange": "20240112-20240112T0010"},
            "candles are left to judge by, beside 60 start-up",
        ),
        ({"losses": ("NoLoss",)}, "no loss is named NoLoss"),
        ({"sampler": "gp"}, "no sampler is named gp; there are: tpe, cmaes"),
        ({"constraints": ("luck>=1",)}, "'luck>=1' is no constraint"),
        (
            {"sampler": "cmaes", "losses": ("CalmarTailLoss", "MultiMetricLoss")},
            "cmaes searches for one loss",
        ),
        (
            {"strategy": "AheadStrategy"},
            "the strategy looks ahead: column tomorrow of BTC/USDT:USDT changes",
        ),
        (
            {"strategy": "SilentStrategy"},
            "none of the first .* trades: its entry conditions never hold",
        ),
        ({"timerange": "20230105-20230113"}, "2023"),
    ],
    ids=lambda each: str(next(iter(each.values()))) if isinstance(each, dict) else "",
)
def test_bad_input_is_one_sentence_for_the_user(request_of, changes, sentence):
    with pytest.raises(ConfigError, match=sentence) as told:
        run(request_of(**changes))
    assert told.value.exit_code == 2


def test_too_few_candles_for_the_start_up(request_of):
    with pytest.raises(ConfigError, match="start-up|startup|candle"):
        run(request_of(timerange="20240103-20240103T0200"))


def test_a_storage_that_cannot_be_reached(request_of):
    with pytest.raises(DependencyError, match="the storage does not answer") as told:
        run(request_of(storage="postgresql://nobody@127.0.0.1:1/none"))
    assert told.value.exit_code == 3


def test_the_command_line(freqfleet, market, folder, tmp_path):
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    base = ("--strategy-path", folder, "--data", market, "--timerange", "20240105-20240113")
    done = freqfleet(
        "tune", "run", "StrangerStrategy", *base, "-n", "25", "--study", "mine", "--json"
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["trials"]["answered"] >= 25
    assert document["best"]["losses"]
    shown = freqfleet("tune", "show", "mine")
    assert "CalmarTailLoss" in shown.stdout
    assert freqfleet("tune", "show", "--json").stdout.startswith("[")
    assert "25 of" in freqfleet("tune", "show", "mine", "--markdown").stdout or document["trials"]
    assert "sampler" in freqfleet("tune", "compare", "mine", "mine").stdout
    wrong = freqfleet("tune", "run", "NoStrategy", *base)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.count("\n") == 1
    nothing = freqfleet("tune", "rollback", "StrangerStrategy", "--strategy-path", folder)
    assert nothing.returncode == 2
