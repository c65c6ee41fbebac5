"""Reads reports that a pull request's own run made, and writes one comment from them.

Nothing of such a report is trusted: it is data of bounded size and form, numbers are numbers, names
are names, and every sentence is shown as text without links, mentions or markup. Refuses to know
GitHub. Called by `app.github`.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from automation.core.errors import ConfigError
from automation.gates.config import CheckName
from automation.gates.reports.document import FORMAT
from automation.gates.reports.words import MARKS
from automation.gates.verdicts import Status, Verdict

MARKER = "<!-- freqfleet backtest gate -->"
MEMBER = "gate.json"
_MOST_BYTES = 4_000_000
_MOST_MEMBERS = 50
_SENTENCE = 240
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
Text = Annotated[str, StringConstraints(max_length=4000)]


class _Loose(BaseModel):
    """Frozen; keys that a comment does not need are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class CheckDocument(_Loose):
    """One check, as far as a comment shows it."""

    name: CheckName
    status: Literal["pass", "fail", "not judged", "off"]
    sentence: Text


class IntervalDocument(_Loose):
    """One measure of the comparison."""

    measure: Literal["return a day", "Sharpe", "drawdown", "worst days"]
    unit: Literal["bps", "", "%"]
    difference: float | None
    low: float | None
    high: float | None
    is_worse: bool


class ComparisonDocument(_Loose):
    """The comparison with the base."""

    is_identical: bool
    intervals: tuple[IntervalDocument, ...] = Field(max_length=8, strict=False)


class StrategyDocument(_Loose):
    """One strategy."""

    name: Name
    checks: tuple[CheckDocument, ...] = Field(max_length=50, strict=False)
    comparison: ComparisonDocument | None

    @property
    def verdict(self) -> Verdict:
        """The verdict that the checks have; what the report claims is not asked."""
        statuses = {check.status for check in self.checks}
        if Status.FAIL in statuses or not self.checks:
            return Verdict.FAIL
        if Status.NOT_JUDGED in statuses:
            return Verdict.NOT_JUDGED
        changed = self.comparison is not None and not self.comparison.is_identical
        return Verdict.CHANGED if changed else Verdict.PASS


class ReportDocument(_Loose):
    """One report."""

    kind: Literal["freqfleet-gate"]
    format: Literal[1]
    bundle: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    strategies: tuple[StrategyDocument, ...] = Field(max_length=200, strict=False)


assert FORMAT == 1


def read_artifact(content: bytes, name: str) -> ReportDocument:
    """Read the report in an artifact's archive; nothing is written to disk.

    Raises ConfigError, naming the artifact, for anything that is not a report of bounded size.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            (member,) = [one for one in members if one.filename == MEMBER]
            if len(members) > _MOST_MEMBERS or member.file_size > _MOST_BYTES:
                raise ConfigError("is larger than a report can be", where=name)
            with archive.open(member) as file:
                text = file.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise ConfigError("is larger than a report can be", where=name)
        return ReportDocument.model_validate_json(text)
    except (zipfile.BadZipFile, ValueError, RuntimeError, OSError, EOFError, zlib.error) as error:
        kind = type(error).__name__
        raise ConfigError(f"holds no report that can be read ({kind})", where=name) from None


def comment(reports: Sequence[ReportDocument], refused: Sequence[str], url: str) -> str:
    """Write the one comment of a pull request; `refused` names artifacts that were not read."""
    strategies = sorted(
        (one for report in reports for one in report.strategies), key=lambda one: one.name
    )
    good = {Verdict.PASS, Verdict.CHANGED}
    passed = not refused and all(one.verdict in good for one in strategies)
    lines = [MARKER, f"## Backtest gate: {'pass' if passed else 'fail'}", ""]
    if strategies:
        lines += ["| strategy | verdict | return a day against base | why |", "|---|---|---|---|"]
        lines += [_row(one) for one in strategies]
    else:
        lines.append("No strategy is touched by the change.")
    lines += [f"\n> {plain(name)} could not be read" for name in refused]
    lines += ["", f"[Reports and artifacts]({url})"]
    return "\n".join(lines) + "\n"


def _row(one: StrategyDocument) -> str:
    statuses = {"fail", "not judged"}
    reasons = [check for check in one.checks if check.status in statuses]
    why = "<br>".join(f"{check.name}: {plain(check.sentence)}" for check in reasons[:6])
    return f"| {plain(one.name)} | {MARKS[one.verdict]} {one.verdict} | {_change(one)} | {why} |"


def _change(one: StrategyDocument) -> str:
    made = one.comparison
    if made is None:
        return "–"
    if made.is_identical or not made.intervals:
        return "unchanged"
    first = made.intervals[0]
    if first.difference is None or first.low is None or first.high is None:
        return "–"
    return f"{first.difference:+.2f} bps ({first.low:+.2f} to {first.high:+.2f})"


def plain(sentence: str) -> str:
    """Write a sentence as text: no markup, links, mentions or line breaks, and not too long."""
    flat = " ".join("".join(one if one.isprintable() else " " for one in sentence).split())
    flat = flat if len(flat) <= _SENTENCE else flat[: _SENTENCE - 1] + "…"
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    flat = re.sub(r"([\\`*_{}\[\]()#+!|~])", r"\\\1", flat)
    # A zero-width space keeps GitHub from linking addresses, people and issues.
    return re.sub(r"(@|://|www\.)", "\\1\u200b", flat)
