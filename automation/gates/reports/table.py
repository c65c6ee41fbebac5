"""The answer on a terminal: one line a strategy, and a line for each reason."""

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from automation.gates.reports.words import COLOURS, MARKS, amount, figure, interval
from automation.gates.verdicts import GateReport, Status, StrategyReport


def table(report: GateReport) -> RenderableType:
    """Draw the report for a terminal."""
    drawn = Table(box=SIMPLE_HEAD, title=f"{report.timerange} in {len(report.windows)} windows")
    drawn.add_column("strategy", no_wrap=True)
    drawn.add_column("verdict", no_wrap=True)
    for head in ("trades", "profit", "drawdown", "factor", "Sharpe", "day against base"):
        drawn.add_column(head, justify="right")
    for one in report.strategies:
        verdict = Text(f"{MARKS[one.verdict]} {one.verdict}", style=COLOURS[one.verdict])
        drawn.add_row(one.name, verdict, *_cells(one))
    lines: list[RenderableType] = [drawn] if report.strategies else []
    for one in report.strategies:
        lines += _reasons(one)
    lines.append(Text(f"base {report.base}, bundle {report.bundle[:12]}", style="dim"))
    lines.append(Text(report.headline, style="bold green" if report.passed else "bold red"))
    return Group(*lines)


def _cells(one: StrategyReport) -> list[str]:
    found = one.figures
    return [
        figure(found, "trades", "{:d}"),
        figure(found, "profit_frac", "{:+.1%}"),
        figure(found, "drawdown_frac", "{:.1%}"),
        figure(found, "profit_factor", "{:.2f}"),
        figure(found, "sharpe", "{:.2f}"),
        _against_base(one),
    ]


def _against_base(one: StrategyReport) -> str:
    made = one.comparison
    if made is None:
        return one.base_note.partition(":")[0]
    if made.is_identical:
        return "unchanged"
    first = made.intervals[0]
    return f"{amount(first.difference, first.unit, signed=True)} bps ({interval(first)})"


def _reasons(one: StrategyReport) -> list[Text]:
    colours = {Status.FAIL: "red", Status.NOT_JUDGED: "yellow"}
    return [
        Text.assemble(
            (f"{one.name}: ", "bold"),
            (f"{check.name} {check.status}: ", colours[check.status]),
            check.sentence,
            *(f" [{place.path}:{place.line}]" for place in check.places[:3]),
        )
        for check in one.reasons
    ]
