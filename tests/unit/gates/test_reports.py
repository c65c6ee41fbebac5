"""Six forms of one answer: each valid in its own right, none trusting what strategies write."""

import io
import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.console import Console

from automation.gates.comparison import compare
from automation.gates.config import ComparisonSettings
from automation.gates.figures import figures
from automation.gates.reports import FILES, document, table, write_reports
from automation.gates.reports.markdown import markdown
from automation.gates.reports.page import page
from automation.gates.reports.sarif import sarif
from automation.gates.verdicts import Check, GateReport, Place, Status, StrategyReport

NASTY = "<script>alert(1)</script> | @everyone\n\n# head `x` \x07"


@pytest.fixture
def report(make_window):
    base, new = [make_window([10.0, -5.0] * 10)], [make_window([8.0, -30.0] * 10)]
    compared = StrategyReport(
        "Alpha",
        "strategies/Alpha.py",
        (
            Check("loads", Status.PASS, "5m"),
            Check("profit factor", Status.OFF, "no floor"),
            Check("comparison", Status.FAIL, "worse"),
        ),
        figures=figures(new),
        base_figures=figures(base),
        comparison=compare(base, new, ComparisonSettings(resamples=200)),
        windows=tuple(new),
        base_windows=tuple(base),
    )
    place = Place("strategies/Beta.py", 7, NASTY)
    broken = StrategyReport(
        "Beta",
        "strategies/Beta.py",
        (
            Check("truncation", Status.FAIL, NASTY, (place,)),
            Check("look-ahead", Status.NOT_JUDGED, "only 3 trades"),
        ),
    )
    versions = {"python": "3.11"}
    pairs, windows = ("BTC/USDT:USDT",), ("20250101-20250131",)
    return GateReport((compared, broken), "a" * 64, windows[0], pairs, windows, "abc", versions)


def test_verdict_and_headline(report):
    assert not report.passed
    assert report.headline == "fail: 2 fail"
    assert replace(report, strategies=()).headline == "pass: no strategy is touched by the change"
    assert replace(report, strategies=()).passed


def test_markdown_says_the_verdict_first_and_folds_details(report):
    text = markdown(report)
    assert text.startswith("## Backtest gate: fail: 2 fail")
    assert text.index("| Alpha |") < text.index("<details>")
    assert text.count("<details>") == text.count("</details>") == 2
    assert "<script>" not in text
    assert "@everyone" not in text
    rows = [line for line in text.splitlines() if line.startswith("| Beta |")]
    assert len(rows) == 1


def test_json_is_plain(report):
    found = json.loads(json.dumps(document(report), allow_nan=False))
    assert found["passed"] is False
    assert [one["verdict"] for one in found["strategies"]] == ["fail", "fail"]
    assert found["strategies"][0]["comparison"]["intervals"][0]["measure"] == "return a day"


def test_junit_counts(report, tmp_path):
    write_reports(report, tmp_path)
    root = ET.fromstring((tmp_path / "junit.xml").read_bytes())
    alpha, beta = root
    assert (alpha.get("tests"), alpha.get("failures"), alpha.get("skipped")) == ("3", "1", "1")
    assert (beta.get("failures"), beta.get("errors")) == ("1", "1")


def test_sarif_names_file_and_line(report):
    log = sarif(report)
    (result,) = log["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "strategies/Beta.py"
    assert place["region"]["startLine"] == 7
    assert result["ruleId"] in {rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]}


class _Outside(HTMLParser):
    """Collects whatever a page would load, and tags that are left open."""

    def __init__(self):
        super().__init__()
        self.loads, self.tags = [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.loads += [value for name, value in attrs if name in {"src", "href"}]
        self.loads = [one for one in self.loads if not str(one).startswith("#")]


def test_page_needs_nothing_and_draws_both_equities(report):
    text = page(report)
    parser = _Outside()
    parser.feed(text)
    assert parser.loads == []
    assert not parser.tags & {"script", "link", "img", "iframe", "object"}
    assert text.count('<polyline class="now"') == 1
    assert text.count('<polyline class="before"') == 1
    assert "http" not in text.replace("http-equiv", "")


@pytest.mark.parametrize("width", [80, 160])
def test_terminal_table(report, width):
    """On eighty columns too no figure is cut short, and each reason stands in words."""
    long_name = replace(report.strategies[0], name="RossCameronFuturesStrategy")
    shown = replace(report, strategies=(*report.strategies, long_name))
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(table(shown))
    text = console.export_text()
    assert "Beta: truncation fail" in text
    assert "fail: 3 fail" in text
    assert "RossCameronFuturesStrategy: against the base: return a day, bps -" in text
    assert "…" not in text


def test_equal_reports_give_equal_files(report, tmp_path):
    write_reports(report, tmp_path / "1")
    write_reports(report, tmp_path / "2")
    for name in FILES:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_nothing_to_judge_is_still_a_report(report, tmp_path):
    write_reports(replace(report, strategies=()), tmp_path)
    assert "no strategy is touched" in (tmp_path / "gate.md").read_text()
