"""A study's result as rows for a table, and as Markdown.

Decides what a reader sees first: the best parameters beside those the strategy has now. Called by the
command line through `app`.
"""

import math
from collections.abc import Sequence

from automation.tuning.ranking import Ranked, Summary

_FIGURES = (
    ("trades", "trades", "{:.0f}"),
    ("profit_frac", "profit after all fees", "{:+.2%}"),
    ("max_drawdown_frac", "largest drawdown", "{:.2%}"),
    ("sharpe", "Sharpe", "{:.2f}"),
    ("sortino", "Sortino", "{:.2f}"),
    ("calmar", "Calmar", "{:.2f}"),
    ("profit_factor", "profit factor", "{:.2f}"),
    ("exposure_frac", "time in the market", "{:.1%}"),
    ("liquidations", "liquidations", "{:.0f}"),
)


def figure_rows(summary: Summary, trials: Sequence[Ranked]) -> list[tuple[str, ...]]:
    """Return one row a loss and a figure, one cell a trial."""
    rows = [
        (name, *(f"{each.losses[k]:.6g}" for each in trials))
        for k, name in enumerate(summary.study.losses)
    ]
    for key, label, form in _FIGURES:
        rows.append((label, *(_say(form, each.figures.get(key, math.nan)) for each in trials)))
    return rows


def value_rows(summary: Summary, trials: Sequence[Ranked]) -> list[tuple[str, ...]]:
    """Return one row a parameter: its space, its name, one cell a trial, and its importance."""
    return [
        (
            each.space,
            each.name,
            *(str(trial.values.get(each.name, "-")) for trial in trials),
            f"{summary.importance[each.name]:.0%}" if each.name in summary.importance else "-",
        )
        for each in summary.study.dimensions
    ]


def shown(summary: Summary) -> list[tuple[str, Ranked]]:
    """Return the trials to show side by side, with what each is."""
    pairs = (("now", summary.current), ("best", summary.best))
    return [(label, trial) for label, trial in pairs if trial is not None]


def counts(summary: Summary) -> str:
    """Say how many trials there are and what became of them."""
    said = f"{summary.answered} of {summary.target} trials: {summary.finished} run to the end"
    if summary.stopped:
        said += f", {summary.stopped} stopped after the first slice"
    if summary.failed:
        said += f", {summary.failed} failed"
    return said


def engine_line(summary: Summary) -> str:
    """Say which engine ran, and why if it was Freqtrade's own."""
    if summary.study.engine == "kernel":
        return "Evaluated by the compiled engine."
    return (
        "Evaluated by Freqtrade's own backtest, because the compiled engine does not reproduce "
        + "; ".join(summary.study.reasons)
        + "."
    )


def markdown(summary: Summary) -> str:
    """Return the result as a page."""
    study, pairs = summary.study, shown(summary)
    labels = [f"{label} (trial {trial.number})" for label, trial in pairs]
    trials = [trial for _, trial in pairs]
    job = study.job
    about = f"{job['strategy']} over {job['timerange']}, {', '.join(job['pairs'])}."
    how = f"Sampler {study.sampler}, seed {study.seed}. {engine_line(summary)}"
    lines = [f"# {study.name}", "", f"{about} {counts(summary)}. {how}", ""]
    if study.constraints:
        lines += ["Constraints: " + ", ".join(map(str, study.constraints)) + ".", ""]
    lines += _table(["", *labels], figure_rows(summary, trials))
    lines += _table(["space", "parameter", *labels, "importance"], value_rows(summary, trials))
    if summary.front:
        rows = [(str(t.number), *(f"{loss:.6g}" for loss in t.losses)) for t in summary.front]
        lines += ["The front:", "", *_table(["trial", *study.losses], rows)]
    lines += [
        f"Data `{study.data_hash[:16]}`, code `{study.code_hash[:16]}`, study `{study.hash()[:16]}`."
    ]
    return "\n".join(lines) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(row) + " |" for row in cells] + [""]


def _say(form: str, value: float) -> str:
    return "-" if math.isnan(value) else form.format(value)


def comparison(
    first: Summary, second: Summary
) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Return figures and parameters of the best of two studies, side by side."""
    pair = (first, second)
    figures = [
        (label, *(_figure(each, key, form) for each in pair)) for key, label, form in _FIGURES
    ]
    losses = dict.fromkeys((*first.study.losses, *second.study.losses))
    figures = [(name, *(_loss(each, name) for each in pair)) for name in losses] + figures
    names = dict.fromkeys(d.name for each in pair for d in each.study.dimensions)
    values = [(name, *(_value(each, name) for each in pair)) for name in names]
    about = [
        ("trials run to the end", *(str(each.finished) for each in pair)),
        ("timerange", *(str(each.study.job["timerange"]) for each in pair)),
        ("sampler", *(each.study.sampler for each in pair)),
    ]
    return [*figures, *about], values


def _figure(summary: Summary, key: str, form: str) -> str:
    return "-" if summary.best is None else _say(form, summary.best.figures.get(key, math.nan))


def _loss(summary: Summary, name: str) -> str:
    if summary.best is None or name not in summary.study.losses:
        return "-"
    return f"{summary.best.losses[summary.study.losses.index(name)]:.6g}"


def _value(summary: Summary, name: str) -> str:
    return "-" if summary.best is None else str(summary.best.values.get(name, "-"))
