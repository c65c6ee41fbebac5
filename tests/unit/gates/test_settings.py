"""gate.yaml: every fault named with its place; what is shipped is valid and documented."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from automation.core.errors import ConfigError
from automation.gates import config
from automation.gates.settings import load_settings


def complaint(tmp_path, text: str) -> str:
    path = tmp_path / "gate.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert "gate.yaml" in str(caught.value)
    return str(caught.value)


def test_an_empty_file_is_the_defaults(tmp_path):
    path = tmp_path / "gate.yaml"
    path.write_text("")
    assert load_settings(path) == config.GateSettings()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("window: 3", "unknown key; did you mean windows?"),
        ("limits: {most_drawdown: 1}", "limits.most_drawdown: unknown key; did you mean"),
        ("limits: {most_drawdown_frac: 1.5}", "limits.most_drawdown_frac"),
        ("windows: 99", "between 1 and 24"),
        ("windows: [20250101-20250201, 20250115-20250301]", "windows overlap"),
        ("windows: [January]", "windows"),
        ("without: [lookahead]", "without"),
        ("strategies: []", "strategies"),
        ("exceptions: {A: {reason: short, limits: {}}}", "exceptions.A.reason"),
        ("- a list", "valid dictionary"),
        ("a: [", "not valid YAML"),
    ],
)
def test_faults_are_named(tmp_path, text, expected):
    assert expected in complaint(tmp_path, text)


def test_all_faults_at_once(tmp_path):
    told = complaint(tmp_path, "window: 3\nlimits: {most_exposure: -1}")
    assert "window" in told
    assert "most_exposure" in told


def test_no_file(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        load_settings(tmp_path / "none.yaml")


def test_an_exception_is_for_one_strategy(tmp_path):
    path = tmp_path / "gate.yaml"
    path.write_text(
        "exceptions: {A: {reason: pays fees on purpose, limits: {most_drawdown_frac: 0.9}}}"
    )
    settings = load_settings(path)
    assert settings.limits_of("A").most_drawdown_frac == 0.9
    assert settings.limits_of("B").most_drawdown_frac == config.Limits().most_drawdown_frac


def models():
    found = [one for one in vars(config).values() if isinstance(one, type)]
    return [one for one in found if issubclass(one, BaseModel) and one is not config.Strict]


def test_every_field_is_described_and_on_the_reference_page(root):
    text = (root / "docs" / "reference" / "gates.md").read_text(encoding="utf-8")
    assert len(models()) > 5
    for model in models():
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"
            assert f"`{name}`" in text, f"{model.__name__}.{name} is not on the page"


def test_the_projects_own_configuration_is_valid(root):
    settings = load_settings(root / "configs" / "gate.yaml")
    for path in (*settings.strategies, *settings.configs):
        assert (root / path).exists()
    assert not settings.without
    assert all(isinstance(path, Path) for path in settings.strategies)
