"""The answer as Markdown, for job summaries and comments: verdict first, details folded."""

from collections.abc import Iterator

from automation.gates.reports.words import (
    FIGURES,
    MARKS,
    STATUS_MARKS,
    amount,
    figure,
    interval,
    measure,
)
from automation.gates.verdicts import GateReport, StrategyReport


def markdown(report: GateReport) -> str:
    """Write the report as GitHub's Markdown."""
    lines = [f"## Backtest gate: {report.headline}", ""]
    if report.strategies:
        lines += ["| strategy | verdict | why |", "|---|---|---|"]
        lines += [
            f"| {one.name} | {MARKS[one.verdict]} {one.verdict} | {_why(one)} |"
            for one in report.strategies
        ]
        lines.append("")
    changed = [one for one in report.strategies if one.comparison and one.comparison.intervals]
    for one in changed:
        lines += [*_changes(one), ""]
    for one in report.strategies:
        lines += [*_details(one), ""]
    lines += list(_footer(report))
    return "\n".join(lines) + "\n"


def _why(one: StrategyReport) -> str:
    if one.reasons:
        return "<br>".join(f"**{check.name}**: {_cell(check.sentence)}" for check in one.reasons)
    if one.comparison is None:
        return _cell(one.base_note) or "within floors and ceilings"
    return "every trade is as it was" if one.comparison.is_identical else "not worse beyond doubt"


def _changes(one: StrategyReport) -> Iterator[str]:
    made = one.comparison
    assert made is not None
    yield f"### {one.name} against its base"
    yield ""
    yield f"| measure | base | now | change | {made.level:.1%} interval | |"
    yield "|---|--:|--:|--:|:-:|---|"
    for each in made.intervals:
        base, new = amount(each.base, each.unit), amount(each.new, each.unit)
        change = amount(each.difference, each.unit, signed=True)
        verdict = "**worse**" if each.is_worse else ""
        yield f"| {measure(each)} | {base} | {new} | {change} | {interval(each)} | {verdict} |"
    yield ""
    yield (
        f"A loss of {made.detectable_bps_day:.1f} bps a day would be seen here four times of five."
    )


def _details(one: StrategyReport) -> Iterator[str]:
    yield "<details>"
    yield f"<summary>{one.name}: figures and checks</summary>"
    yield ""
    yield from _figures(one)
    yield "| check | | |"
    yield "|---|---|---|"
    for check in one.checks:
        where = "".join(f" `{place.path}:{place.line}`" for place in check.places)
        yield f"| {check.name} | {STATUS_MARKS[check.status]} {check.status} | {_cell(check.sentence)}{where} |"
    if one.comparison is not None and one.comparison.changes:
        yield ""
        yield "| window | pair | trades | profit before | now |"
        yield "|---|---|--:|--:|--:|"
        for each in one.comparison.changes:
            trades = f"{each.base_trades} → {each.new_trades}"
            profits = f"{each.base_profit_frac:+.2%} | {each.new_profit_frac:+.2%}"
            yield f"| {each.window} | {each.pair} | {trades} | {profits} |"
    yield ""
    yield "</details>"


def _figures(one: StrategyReport) -> Iterator[str]:
    """Write the figures, beside those of the base if there is one."""
    if one.figures is None:
        return
    has_base = one.base_figures is not None
    yield "| figure | base | now |" if has_base else "| figure | now |"
    yield "|---|--:|--:|" if has_base else "|---|--:|"
    for label, name, form in FIGURES:
        base = f"{figure(one.base_figures, name, form)} | " if has_base else ""
        yield f"| {label} | {base}{figure(one.figures, name, form)} |"
    yield ""


def _footer(report: GateReport) -> Iterator[str]:
    for sentence in report.notes:
        yield f"> {_cell(sentence)}"
    versions = ", ".join(f"{name} {one}" for name, one in report.versions.items())
    yield ""
    yield (
        f"<sub>base {_cell(report.base)} · bundle {report.bundle[:12]} · {report.timerange} · "
        f"{', '.join(report.pairs)} · {versions}</sub>"
    )


def _cell(sentence: str) -> str:
    """Keep a sentence inside its cell, and as text: strategies may write what they like."""
    flat = " ".join(sentence.split())
    for mark, plain in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("|", "\\|"),
        ("@", "@\u200b"),
    ):
        flat = flat.replace(mark, plain)
    return flat
