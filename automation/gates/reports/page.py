"""The answer as one HTML page that needs nothing else: no script, no font, no network."""

from collections.abc import Iterator
from html import escape

from automation.gates.reports.chart import equity_chart
from automation.gates.reports.words import FIGURES, MARKS, amount, figure, interval, measure
from automation.gates.verdicts import GateReport, StrategyReport, Verdict

_CLASSES = {
    Verdict.PASS: "good",
    Verdict.CHANGED: "changed",
    Verdict.NOT_JUDGED: "open",
    Verdict.FAIL: "bad",
}
_SUMMARY = tuple(
    one for one in FIGURES if one[1] in {"trades", "profit_frac", "drawdown_frac", "sharpe"}
)
_STYLE = """
:root{--fg:#1d2733;--bg:#fff;--soft:#66727f;--line:#dfe4ea;--good:#1a7f4b;--bad:#c0352b;--open:#946200;
--changed:#14688c;--before:#8a95a1;--now:#14688c}
@media(prefers-color-scheme:dark){:root{--fg:#e4e9ee;--bg:#12181f;--soft:#93a0ad;--line:#2b3540;
--good:#4cc38a;--bad:#ff7b6b;--open:#e0b04a;--changed:#5fb8dd;--before:#77838f;--now:#5fb8dd}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--fg);background:var(--bg);max-width:60rem;
margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.15rem;margin-top:2.5rem;border-top:1px solid var(--line);padding-top:1rem}
table{border-collapse:collapse;margin:.8rem 0;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}
td.n,th.n{text-align:right}.good{color:var(--good)}.bad{color:var(--bad)}.open{color:var(--open)}
.changed{color:var(--changed)}.soft,footer{color:var(--soft);font-size:.85rem}
figure{margin:1rem 0}svg{width:100%;height:auto}svg text{fill:var(--soft);font-size:11px}
.before{stroke:var(--before)}.now{stroke:var(--now)}.grid{stroke:var(--line)}
.whole{stroke:var(--soft);stroke-dasharray:3 3}
summary{cursor:pointer;color:var(--soft)}a{color:inherit}
"""


def page(report: GateReport) -> str:
    """Write the report as a self-contained page."""
    body = "\n".join(_body(report))
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Backtest gate: {escape(report.headline)}</title>"
        f"<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _body(report: GateReport) -> Iterator[str]:
    kind = "good" if report.passed else "bad"
    yield f'<h1 class="{kind}">Backtest gate: {escape(report.headline)}</h1>'
    for sentence in report.notes:
        yield f'<p class="soft">{escape(sentence)}</p>'
    yield from _summary(report)
    for one in report.strategies:
        yield from _strategy(one)
    versions = ", ".join(f"{name} {one}" for name, one in report.versions.items())
    yield (
        f"<footer><p>Base {escape(report.base)}; bundle {report.bundle}; {report.timerange}; "
        f"{escape(', '.join(report.pairs))}; {escape(versions)}</p></footer>"
    )


def _summary(report: GateReport) -> Iterator[str]:
    if len(report.strategies) < 2:
        return
    heads = "".join(f'<th class="n">{label}' for label, _, _ in _SUMMARY)
    yield f"<table><tr><th>strategy<th>verdict{heads}</tr>"
    for one in report.strategies:
        cells = "".join(f'<td class="n">{figure(one.figures, *asked)}' for _, *asked in _SUMMARY)
        verdict = f'<td class="{_CLASSES[one.verdict]}">{MARKS[one.verdict]} {one.verdict}'
        yield f'<tr><td><a href="#{escape(one.name)}">{escape(one.name)}</a>{verdict}{cells}</tr>'
    yield "</table>"


def _strategy(one: StrategyReport) -> Iterator[str]:
    verdict = f"{MARKS[one.verdict]} {one.verdict}"
    yield f'<h2 id="{escape(one.name)}">{escape(one.name)} <span class="{_CLASSES[one.verdict]}">{verdict}</span></h2>'
    if one.base_note:
        yield f'<p class="soft">{escape(one.base_note)}</p>'
    if one.reasons:
        yield "<ul>"
        for check in one.reasons:
            yield f"<li><b>{check.name}</b>: {escape(check.sentence)}</li>"
        yield "</ul>"
    if one.windows:
        yield equity_chart(one)
    if one.comparison is not None and one.comparison.intervals:
        yield from _comparison(one)
    yield from _figures(one)
    yield "<details><summary>all checks</summary><table>"
    for check in one.checks:
        places = "".join(f"<br><code>{escape(p.path)}:{p.line}</code>" for p in check.places)
        yield f"<tr><td>{check.name}<td>{check.status}<td>{escape(check.sentence)}{places}</tr>"
    yield "</table></details>"


def _comparison(one: StrategyReport) -> Iterator[str]:
    made = one.comparison
    assert made is not None
    heads = "".join(
        f'<th class="n">{head}' for head in ("base", "now", "change", f"{made.level:.1%} interval")
    )
    yield f"<table><tr><th>against the base{heads}</tr>"
    for each in made.intervals:
        cells = (
            amount(each.base, each.unit),
            amount(each.new, each.unit),
            amount(each.difference, each.unit, signed=True),
            interval(each),
        )
        kind = ' class="bad"' if each.is_worse else ""
        row = "".join(f'<td class="n">{cell}' for cell in cells)
        yield f"<tr{kind}><td>{measure(each)}{row}</tr>"
    yield "</table>"


def _figures(one: StrategyReport) -> Iterator[str]:
    if one.figures is None:
        return
    sides = [one.figures] if one.base_figures is None else [one.base_figures, one.figures]
    heads = "".join(f'<th class="n">{head}' for head in ("base", "now")[-len(sides) :])
    yield f"<table><tr><th>figure{heads}</tr>"
    for label, name, form in FIGURES:
        cells = "".join(f'<td class="n">{figure(side, name, form)}' for side in sides)
        yield f"<tr><td>{label}{cells}</tr>"
    yield "</table>"
