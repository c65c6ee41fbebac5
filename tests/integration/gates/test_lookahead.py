"""Forms of look-ahead: every one is caught, and nothing honest is."""

import importlib.util
from pathlib import Path

import pytest


def _beside(name: str):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


peeking, sampled = _beside("peeking"), _beside("sampling").sampled

FOLDER = "user_data/strategies"
TRUNCATION = "\nprocess: {time_s: 120, memory_mb: 2000}\nwithout: [recursive]\n"


def test_truncation_names_every_peeking_column_with_its_line_and_no_honest_one(
    gate, repository, checks
):
    text = peeking.strategy("Peeker", {**peeking.HONEST, **peeking.FORMS}, "rolling")
    repository.write(f"{FOLDER}/Peeker.py", text)
    repository.write("gate.yaml", (repository.root / "gate.yaml").read_text() + TRUNCATION)
    document = gate("--smoke", "--strategy", "Peeker", code=1)
    (found,) = document["strategies"]
    (check,) = [one for one in found["checks"] if one["name"] == "truncation"]
    assert check["status"] == "fail"
    lines = {one["message"].split()[0]: one["line"] for one in check["places"]}
    assert lines.keys() == peeking.FORMS.keys()
    written = text.splitlines()
    for column, line in lines.items():
        assert f'frame["{column}"] =' in written[line - 1]


@pytest.fixture
def judged_alone(gate, repository, checks):
    """Run the whole gate on one strategy over one window: the checks that failed."""
    config = (repository.root / "gate.yaml").read_text().replace("windows: 2", "windows: 1")
    limits = "{most_drawdown_frac: 1.0, most_worst_day_frac: 1.0, most_exposure: 100}"
    config = config.replace("{most_drawdown_frac: 0.9, most_worst_day_frac: 0.5}", limits)
    repository.write("gate.yaml", config + TRUNCATION)

    def judge(text: str, name: str) -> set[str]:
        repository.write(f"{FOLDER}/{name}.py", text)
        return set(checks(gate("--no-base", "--strategy", name), name=name))

    return judge


# By which check each form is caught. What Freqtrade's analysis misses it misses by construction:
# a candle of a longer timeframe that opened before the cut is still read whole, and a column is
# compared in the first row alone where anything differs.
CAUGHT = {
    **{form: {"truncation", "look-ahead"} for form in peeking.FORMS},
    "informative_unshifted": {"truncation"},
    "swing_points": {"truncation"},
}


@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.parametrize("form", sampled(peeking.FORMS, 2))
def test_every_form_fails_the_gate(judged_alone, form):
    found = judged_alone(peeking.strategy("Peeker", {form: peeking.FORMS[form]}, form), "Peeker")
    assert found == CAUGHT[form]


@pytest.mark.prove
@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_callback_that_peeks_is_caught_by_the_analysis_alone(judged_alone):
    assert judged_alone(peeking.callback_strategy("Callback"), "Callback") == {"look-ahead"}


@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.parametrize("form", sampled(peeking.HONEST, 1))
def test_honest_columns_pass(judged_alone, form):
    text = peeking.strategy("Honest", {form: peeking.HONEST[form]}, form)
    assert judged_alone(text, "Honest") == set()
