"""A pull request's own report is data: bounded, checked, and shown as text."""

import io
import json
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.core.errors import ConfigError
from automation.gates.reports.untrusted import (
    MARKER,
    comment,
    plain,
    read_artifact,
)

NASTY = "[click](http://evil.example) @everyone <img src=x> `code` | **bold** www.evil.example #1"


def document(**changed) -> dict:
    strategy = {
        "name": "Alpha",
        "verdict": "pass",
        "checks": [{"name": "truncation", "status": "fail", "sentence": NASTY}],
        "comparison": None,
    }
    found = {"kind": "freqfleet-gate", "format": 1, "bundle": "a" * 64, "strategies": [strategy]}
    return found | changed


def archive(content: bytes | dict, name: str = "gate.json", more: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(name, content if isinstance(content, bytes) else json.dumps(content))
        for number in range(more):
            made.writestr(f"more-{number}", "x")
    return buffer.getvalue()


def test_the_verdict_follows_from_the_checks_not_from_the_claim():
    report = read_artifact(archive(document()), "a")
    text = comment([report], [], "https://github.com/o/r/actions/runs/1")
    assert text.startswith(MARKER + "\n## Backtest gate: fail")
    assert "| Alpha | ✘ fail |" in text


def test_a_strategy_without_checks_has_not_passed():
    strategy = {"name": "Alpha", "checks": [], "comparison": None}
    report = read_artifact(archive(document(strategies=[strategy])), "a")
    assert "Backtest gate: fail" in comment([report], [], "u")


def test_an_unreadable_artifact_is_no_pass():
    assert "Backtest gate: fail" in comment([], ["gate-report-Alpha"], "u")
    assert "Backtest gate: pass" in comment([], [], "u")


def test_words_are_text():
    row = next(
        line
        for line in comment([read_artifact(archive(document()), "a")], [], "u").splitlines()
        if line.startswith("| Alpha")
    )
    assert "](http" not in row
    assert "<img" not in row
    assert "@everyone" not in row
    assert "www.evil" not in row
    assert row.count("|") - row.count("\\|") == 5


@given(st.text(max_size=500))
def test_no_sentence_escapes_its_cell(sentence):
    shown = plain(sentence)
    assert "\n" not in shown
    assert "<" not in shown
    assert "://" not in shown
    assert len(shown) < 1500
    assert all(shown[at - 1] == "\\" for at, one in enumerate(shown) if one in "|[]`*")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a zip",
        archive(document(), name="other.json"),
        archive(document(), more=60),
        archive(b"{"),
        archive(b"[]"),
        archive(b" " * 5_000_000),
        archive(document(format=2)),
        archive(document(bundle="<script>")),
        archive(document(strategies=[{"name": "a b", "checks": [], "comparison": None}])),
        archive(document(strategies=[{"name": "A", "checks": "x", "comparison": None}])),
        archive(document(strategies=[{"name": f"A{n}", "checks": [], "comparison": None} for n in range(300)])),
    ],
)  # fmt: skip
def test_anything_else_is_refused(content):
    with pytest.raises(ConfigError, match="gate-report"):
        read_artifact(content, "gate-report")


@given(st.binary(max_size=300))
def test_noise_is_refused(content):
    with pytest.raises(ConfigError):
        read_artifact(content, "gate-report")


def test_a_bomb_is_not_unpacked():
    bomb = archive(b"0" * 200_000_000)
    assert len(bomb) < 1_000_000
    with pytest.raises(ConfigError, match="larger than a report"):
        read_artifact(bomb, "gate-report")


def test_what_the_gate_writes_can_be_read(make_window):
    from automation.gates.comparison import compare
    from automation.gates.config import ComparisonSettings
    from automation.gates.figures import figures
    from automation.gates.reports import document as write
    from automation.gates.verdicts import Check, GateReport, Status, StrategyReport

    base, new = [make_window([10.0, -5.0] * 10)], [make_window([11.0, -5.0] * 10)]
    strategy = StrategyReport(
        "Alpha",
        "Alpha.py",
        (Check("comparison", Status.PASS, "fine"),),
        figures=figures(new),
        comparison=compare(base, new, ComparisonSettings(resamples=200)),
    )
    report = GateReport((strategy,), "b" * 64, "20250101-20250131", (), (), "c", {})
    read = read_artifact(archive(write(report)), "a")
    text = comment([read], [], "u")
    assert "≈ changed, not worse" in text
    assert "+0.33 bps" in text
