from datetime import UTC, datetime

import pytest

from automation.core.errors import ConfigError, ConfigErrors
from automation.simulator.faults import load_scenario, parse_fault
from automation.simulator.faults.kinds import KINDS, AnswerLost, FlashCrash, seconds

GOOD = """
seed: 7
faults:
  - name: lost
    kind: answer_lost
    match: {method: POST, path: "/fapi/v1/*rder", account: one}
    probability: 0.5
    times: 3
    at: 2024-08-05T06:00Z
    lasts: 1h30m
  - kind: flash_crash
    symbols: [BTCUSDT]
    after: 10m
    move_frac: -0.2
"""
BAD = """
seed: -1
faults:
  - kind: answer_lost
    probability: 2
    colour: red
  - kind: earthquake
  - kind: latency
    delay: {shape: normal, mean: soon}
  - {kind: error, at: 2024-08-05T06:00Z, after: 5m}
  - {times: 1}
"""


@pytest.fixture
def scenario(tmp_path):
    def write(text: str):
        path = tmp_path / "scenario.yaml"
        path.write_text(text)
        return path

    return write


def test_a_scenario_is_read_with_units_and_instants(scenario):
    lost, crash = load_scenario(scenario(GOOD), ["BTCUSDT"]).faults
    assert isinstance(lost, AnswerLost)
    assert lost.at == datetime(2024, 8, 5, 6, tzinfo=UTC)
    assert (lost.lasts, lost.match.account) == (5400.0, "one")
    assert isinstance(crash, FlashCrash)
    assert (crash.after, crash.recovers) == (600.0, 300.0)


@pytest.mark.parametrize(
    ("text", "value"), [("500ms", 0.5), ("90s", 90), ("1h30m", 5400), ("2 d", 172_800), (3, 3)]
)
def test_durations(text, value):
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "soon", "5", "5 minutes", "-3s", "3s!"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="is no duration like"):
        seconds(text)


def test_everything_wrong_is_told_at_once_with_line_and_path(scenario):
    with pytest.raises(ConfigErrors) as caught:
        load_scenario(scenario(BAD))
    told = [str(error).partition("scenario.yaml:")[2] for error in caught.value.errors]
    for start in (
        "2: seed: should be greater than or equal to 0",
        "5: faults.0.probability: should be less than or equal to 1",
        "6: faults.0.colour: unknown key; remove it",
        "7: faults.1: there is no kind earthquake; choose from latency, hang",
        "9: faults.2.delay.mean: 'soon' is no duration",
        "10: faults.3: give at or after, not both",
        "11: faults.4: a fault needs a kind; choose from",
    ):
        assert any(line.startswith(start) for line in told), (start, told)
    assert len(told) == 7


@pytest.mark.parametrize("text", ["[", "just words", "faults: 3", "{faults: [{kind: outage}, 3]}"])
def test_a_malformed_file_is_a_sentence(scenario, text):
    with pytest.raises(ConfigError, match=r"scenario\.yaml"):
        load_scenario(scenario(text))


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(ConfigError, match="there is no such file"):
        load_scenario(tmp_path / "none.yaml")


def test_names_are_unique(scenario):
    twice = "faults: [{kind: outage, name: a}, {kind: outage, name: a}]"
    with pytest.raises(ConfigError, match="several faults are named a"):
        load_scenario(scenario(twice))


def test_unknown_symbols_are_told_with_those_there_are(scenario):
    with pytest.raises(ConfigError, match=r"faults\.1: there is no symbol BTCUSDT.*ETHUSDT"):
        load_scenario(scenario(GOOD), ["ETHUSDT"])
    with pytest.raises(ConfigError, match="there is no symbol XUSDT"):
        parse_fault({"kind": "outage", "match": {"symbol": "XUSDT"}}, ["ETHUSDT"])


def test_every_kind_has_a_name_of_its_own_and_every_field_a_description():
    names = [kind.model_fields["kind"].annotation.__args__[0] for kind in KINDS]
    assert len(set(names)) == len(KINDS)
    for kind in KINDS:
        assert kind.__doc__
        for name, field in kind.model_fields.items():
            assert name == "kind" or field.description, (kind, name)
