"""What the gate promises, proved with real backtests: no false alarms, and no check to spare."""

import importlib.util
from pathlib import Path

import pytest


def _beside(name: str):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


edits, peeking, sampled = _beside("edits"), _beside("peeking"), _beside("sampling").sampled
FOLDER = "user_data/strategies"
OPEN = (
    "{least_trades_a_month: null, least_profit_factor: null, most_drawdown_frac: null, "
    "most_worst_day_frac: null, most_liquidations: null, most_exposure: null, "
    "most_trade_risk_frac: null}"
)
CONFIG = """
strategies: [user_data/strategies]
windows: {windows}
limits: {limits}
lookahead: {{trades: 12, least_trades: 6}}
truncation: {{cuts: 6, pairs: 1, days: 4}}
comparison: {{resamples: 400}}
process: {{time_s: {time_s}, memory_mb: 2000}}
"""


def config(limits: str = OPEN, time_s=120, windows=2) -> str:
    return CONFIG.format(limits=limits, time_s=time_s, windows=windows)


@pytest.fixture(scope="session")
def base_results(tmp_path_factory) -> Path:
    """What the base of all these changes did: computed once, by whichever comes first."""
    return tmp_path_factory.mktemp("base-results")


def _unchanged(gate, repository, edit: str, cache: Path) -> None:
    """Apply one edit to all three strategies: all pass, and every trade is as it was."""
    repository.write("gate.yaml", config(windows=1))
    for name, text in edits.STRATEGIES.items():
        repository.write(f"{FOLDER}/{name}.py", text)
    repository.commit("three strategies")
    for name, text in edits.STRATEGIES.items():
        edited = edits.EDITS[edit](text)
        assert edited != text, name
        repository.write(f"{FOLDER}/{name}.py", edited)
    document = gate(code=0, cache=cache)
    assert {one["name"]: one["verdict"] for one in document["strategies"]} == dict.fromkeys(
        edits.STRATEGIES, "pass"
    )
    assert all(one["comparison"]["is_identical"] for one in document["strategies"])


@pytest.mark.prove
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("edit", sampled(edits.EDITS, 1))
def test_changes_that_do_nothing_pass(gate, repository, edit, base_results):
    _unchanged(gate, repository, edit, base_results)


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_a_renamed_strategy_is_compared_with_what_it_was(gate, repository):
    """The class and the file get another name: the same trades, and the note says so."""
    repository.write("gate.yaml", config() + "without: [look-ahead, recursive]\n")
    repository.commit("settings")
    text = (repository.root / FOLDER / "Crossing.py").read_text()
    (repository.root / FOLDER / "Crossing.py").unlink()
    repository.write(f"{FOLDER}/Passing.py", text.replace("Crossing", "Passing"))
    repository.git("add", "--all")
    document = gate(code=0)
    (one,) = document["strategies"]
    assert (one["name"], one["base_note"]) == ("Passing", "was Crossing in the base")
    assert one["comparison"]["is_identical"]
    assert "Crossing was removed" in document["notes"]


def _open(**limits) -> str:
    text = OPEN
    for name, value in limits.items():
        text = text.replace(f"{name}: null", f"{name}: {value}")
    return text


LEVERED = """
    def leverage(self, pair, current_time, current_rate, proposed_leverage, max_leverage,
                 entry_tag, side, **kwargs):
        return min({leverage}, max_leverage)
"""
SLOW = """
    def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, min_stake,
                            max_stake, leverage, entry_tag, side, **kwargs):
        while True:
            pass
"""
FASTER = ("timeperiod=5", "timeperiod=5")
CRASHING = ("    def populate_exit", SLOW + "\n    def populate_exit")


def _levered(times: int) -> tuple[str, str]:
    return ("    def populate_exit", LEVERED.format(leverage=times) + "\n    def populate_exit")


# A fault, and the one check that sees it: its settings, and the edits that bring it about.
CASES = {
    "loads": (config(), [("import talib", "import nothing_like_this\nimport talib")]),
    "runs": (config(time_s=15), [CRASHING]),
    "zero trades": (config(), [('["fast"] > dataframe["slow"], "enter', '["fast"] < 0, "enter'),
                               ('["fast"] < dataframe["slow"], "enter', '["fast"] < 0, "enter')]),
    "trades a month": (config(_open(least_trades_a_month=100_000)), [FASTER]),
    "profit factor": (config(_open(least_profit_factor=50.0)), [FASTER]),
    "drawdown": (config(_open(most_drawdown_frac=0.001)), [FASTER]),
    "worst day": (config(_open(most_worst_day_frac=0.0001)), [FASTER]),
    "liquidations": (config(_open(most_liquidations=0)), [
        _levered(50), ("stoploss = -0.04", "stoploss = -0.99"),
        ('"exit_long"] = 1', '"exit_long"] = 0'), ('"exit_short"] = 1', '"exit_short"] = 0')]),
    "exposure": (config(_open(most_exposure=3.0)), [
        _levered(10), ("stoploss = -0.04", "stoploss = -0.4")]),
    "trade risk": (config(_open(most_trade_risk_frac=0.02)), [
        ("stoploss = -0.04", "stoploss = -0.10")]),
    "truncation": (config(), [
        ("        return dataframe\n\n    def populate_entry",
         '        hours = self.dp.get_pair_dataframe("BTC/USDT:USDT", "1h")\n'
         '        later = hours.set_index("date")["close"]\n'
         '        dataframe["hour"] = dataframe["date"].dt.floor("1h").map(later)\n'
         "        return dataframe\n\n    def populate_entry")]),
    "recursive": (config(), [
        ("        return dataframe\n\n    def populate_entry",
         '        dataframe["so far"] = dataframe["volume"].cumsum()\n'
         "        return dataframe\n\n    def populate_entry")]),
    "look-ahead": (config(), None),
}  # fmt: skip


@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.parametrize("check", sampled(CASES, 0, also=("zero trades", "recursive")))
def test_each_check_is_needed(gate, repository, checks, check):
    """The fault is caught by this check and by no other; without the check it slips through."""
    settings, changes = CASES[check]
    if changes is None:
        repository.write(f"{FOLDER}/Crossing.py", peeking.callback_strategy("Crossing"))
    else:
        repository.change(*changes)
    repository.write("gate.yaml", settings)
    document = gate("--all", "--no-base", code=1)
    assert set(checks(document)) == {check}
    repository.write("gate.yaml", settings + f"without: [{check}]\n")
    assert gate("--all", "--no-base", code=0)["passed"]


@pytest.mark.prove
@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("stops", [("stoploss = -0.04", "stoploss = -0.99")]),
        ("comparison", [("timeperiod=20", "timeperiod=3"), ("timeperiod=5", "timeperiod=2")]),
    ],
)
def test_each_comparison_is_needed(gate, repository, checks, check, changes):
    """Against the base: a stop taken away, and a change that only pays more fees."""
    quick = config() + "without: [look-ahead, recursive, truncation]\n"
    repository.write("gate.yaml", quick)
    repository.commit("settings")
    repository.change(*changes)
    document = gate(code=1)
    assert set(checks(document)) == {check}
    repository.write("gate.yaml", quick.replace("truncation]", f"truncation, {check}]"))
    assert gate(code=0)["passed"]
