"""The answer on a terminal: one line a strategy, and a line for each reason."""

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from automation.gates.reports.words import COLOURS, MARKS, amount, figure, interval, measure
from automation.gates.verdicts import GateReport, Status, StrategyReport


def table(report: GateReport) -> RenderableType:
    """Draw the report for a terminal; eighty columns are enough for names of usual length."""
    count = len(report.windows)
    title = report.windows[0] if count == 1 else f"{report.timerange} in {count} windows"
    drawn = Table(box=SIMPLE_HEAD, title=title, pad_edge=False, collapse_padding=True)
    drawn.add_column("strategy", no_wrap=True)
    drawn.add_column("verdict", no_wrap=True)
    for head in ("trades", "profit", "drawdown", "factor"):
        drawn.add_column(head, justify="right", no_wrap=True)
    for one in report.strategies:
        short = str(one.verdict).partition(",")[0]  # the last line has it whole
        verdict = Text(f"{MARKS[one.verdict]} {short}", style=COLOURS[one.verdict])
        drawn.add_row(one.name, verdict, *_cells(one))
    lines: list[RenderableType] = [drawn] if report.strategies else []
    for one in report.strategies:
        lines += [*_against_base(one, has_base=report.base != "none"), *_reasons(one)]
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
    ]


def _against_base(one: StrategyReport, *, has_base: bool) -> list[Text]:
    """Say in a line what became of the base's trades, or why there was nothing to compare."""
    made = one.comparison
    if made is None:
        told = one.base_note if has_base and one.figures is not None else ""
    elif made.is_identical:
        told = "every trade is as it was"
    else:
        first = made.intervals[0]
        change = amount(first.difference, first.unit, signed=True)
        told = f"{measure(first)} {change} ({interval(first)})"
    return [Text.assemble((f"{one.name}: ", "bold"), "against the base: ", told)] if told else []


def _reasons(one: StrategyReport) -> list[Text]:
    colours = {Status.FAIL: "red", Status.NOT_JUDGED: "yellow"}
    return [
        Text.assemble(
            (f"{one.name}: ", "bold"),
            (f"{check.name} {check.status}: ", colours[check.status]),
            " ".join(check.sentence.split()),
            *(f" [{place.path}:{place.line}]" for place in check.places[:3]),
        )
        for check in one.reasons
    ]
