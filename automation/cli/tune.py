"""`freqfleet tune`: search for a strategy's parameters, look at what was found, and put it in place."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automation.cli.output import err, note, out, print_json

if TYPE_CHECKING:
    from automation.app.promotion import Promotion
    from automation.app.tuning import TuneReport
    from automation.tuning.ranking import Ranked, Summary
    from automation.tuning.search import Progress, Spent

program = typer.Typer(
    name="tune", help="Search for parameters, exact to the trade.", no_args_is_help=True
)
_LINE_S = 5.0
_FEW_TRADES = 30

StorageOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="A file or postgresql://…; without it one in the state folder."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
WorkersOption = Annotated[
    int, typer.Option("--workers", "-j", min=1, help="Processes that backtest.")
]
DataOption = Annotated[Path | None, typer.Option(help="Data folder, if it is elsewhere now.")]


PairsOption = Annotated[
    list[str] | None,
    typer.Option("--pairs", "-p", help="Pair; repeat it, or separate pairs by commas."),
]
TrialsOption = Annotated[int, typer.Option("--trials", "-n", min=1, help="How many to have.")]
SamplerOption = Annotated[str, typer.Option(help="tpe, cmaes, nsga2, nsga3, qmc or random.")]
LossOption = Annotated[
    list[str] | None,
    typer.Option(help="Hyperopt loss to minimise, CalmarTailLoss if none; repeat it for several."),
]
SpacesOption = Annotated[
    list[str] | None,
    typer.Option(help="Like buy, roi, stoploss, trailing, trades, all; else those it declares."),
]
ConstraintOption = Annotated[
    list[str] | None, typer.Option(help="Like drawdown<=0.15, trades>=50 or exposure<=0.5.")
]
ConfigOption = Annotated[
    list[Path] | None,
    typer.Option("--config", "-c", help="Your Freqtrade configuration; can be repeated."),
]
PathOption = Annotated[
    Path | None, typer.Option(help="Folder of the strategies; without it the pack's.")
]
ProtectionsOption = Annotated[
    bool, typer.Option("--enable-protections", help="Let protections lock pairs.")
]
StopOption = Annotated[
    bool, typer.Option(help="End hopeless trials after the first slice of the range.")
]


@program.command()
def run(
    strategy: Annotated[str, typer.Argument(help="Class name.")],
    data: Annotated[Path, typer.Option(metavar="DIR", help="Freqtrade data folder.")],
    timerange: Annotated[str, typer.Option(help="Range like 20240101-20240701, end excluded.")],
    pairs: PairsOption = None,
    trials: TrialsOption = 1000,
    workers: WorkersOption = 1,
    storage: StorageOption = None,
    sampler: SamplerOption = "tpe",
    loss: LossOption = None,
    spaces: SpacesOption = None,
    seed: Annotated[int, typer.Option(min=0, help="One seed, one study.")] = 1,
    constraint: ConstraintOption = None,
    study: Annotated[str | None, typer.Option(help="Its name, to go on with it later.")] = None,
    config: ConfigOption = None,
    strategy_path: PathOption = None,
    timeframe: Annotated[str | None, typer.Option(help="Instead of the strategy's own.")] = None,
    enable_protections: ProtectionsOption = False,
    stop_early: StopOption = True,
    as_json: JsonOption = False,
) -> None:
    """Search for parameters; the same command goes on where it was interrupted.

    Example: [bold]freqfleet tune run TrendFollowingStrategy --data user_data/data/binance
    --timerange 20240101-20240701 --trials 2000[/bold]
    """
    from automation.app.tuning import TuneRequest, tune

    request = TuneRequest(
        strategy=strategy,
        data=data,
        timerange=timerange,
        pairs=_split(pairs),
        trials=trials,
        workers=workers,
        storage=storage,
        sampler=sampler,
        losses=tuple(loss or ()),
        spaces=tuple(spaces or ()),
        seed=seed,
        constraints=_split(constraint),
        study=study,
        configs=tuple(config or ()),
        strategy_path=strategy_path,
        timeframe=timeframe,
        protections=enable_protections,
        stops_early=stop_early,
    )
    with _progress() as tell:
        report = tune(request, tell, note)
    _print_report(report, as_json)


@program.command()
def show(
    study: Annotated[
        str | None, typer.Argument(help="Its name; without one all are listed.")
    ] = None,
    storage: StorageOption = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="As a page.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a study found.

    Example: [bold]freqfleet tune show[/bold]
    """
    from automation.app.tuning import document, studies
    from automation.app.tuning import show as summary_of
    from automation.tuning.report import markdown as page

    if study is None:
        _print_studies(studies(storage), as_json)
        return
    summary = summary_of(storage, study)
    if as_json:
        print_json(document(summary))
    elif markdown:
        typer.echo(page(summary), nl=False)
    else:
        _print_summary(summary)


@program.command()
def compare(
    first: Annotated[str, typer.Argument(help="A study.")],
    second: Annotated[str, typer.Argument(help="Another.")],
    storage: StorageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the best of two studies side by side.

    Example: [bold]freqfleet tune compare calm wild[/bold]
    """
    from automation.app.tuning import document
    from automation.app.tuning import show as summary_of
    from automation.tuning.report import comparison

    pair = [summary_of(storage, name) for name in (first, second)]
    if as_json:
        print_json([document(each) for each in pair])
        return
    figures, values = comparison(*pair)
    _print_table("", ["", first, second], figures)
    _print_table("parameters", ["", first, second], values)


@program.command()
def worker(
    storage: Annotated[str, typer.Option(metavar="URL", help="postgresql://… or a file.")],
    study: Annotated[str | None, typer.Option(help="Only this one; else all unfinished.")] = None,
    workers: WorkersOption = 1,
    data: DataOption = None,
) -> None:
    """Take part in studies that run elsewhere; come and go as you like.

    Example: [bold]freqfleet tune worker --storage postgresql://tuner@db/tuning -j 4[/bold]
    """
    from automation.app.tuning import WorkRequest, work

    with _progress() as tell:
        done = work(WorkRequest(storage, study, workers, data), tell, note)
    note(f"{len(done)} studies are complete" if done else "there is no unfinished study")


@program.command()
def promote(
    study: Annotated[str, typer.Argument(help="Its name; see `freqfleet tune show`.")],
    trial: Annotated[int | None, typer.Option(min=0, help="Not the best, but this one.")] = None,
    storage: StorageOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify a trial with Freqtrade's own backtest and write it beside the strategy.

    Exit code 1, and nothing is written, where the trades are not the same one by one.
    Example: [bold]freqfleet tune promote TrendFollowingStrategy-20240101-20240701-0123abcd[/bold]
    """
    from automation.app.promotion import promote as verify

    found = verify(storage, study, trial, data, note)
    if as_json:
        print_json({name: getattr(found, name) for name in found.__dataclass_fields__})
    else:
        _print_promotion(found)
    if found.differences:
        raise typer.Exit(1)


@program.command()
def rollback(
    strategy: Annotated[str, typer.Argument(help="Class name.")],
    strategy_path: Annotated[Path | None, typer.Option(help="Folder of the strategies.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Put the previous parameter file back; a second time, the later one again.

    Example: [bold]freqfleet tune rollback TrendFollowingStrategy[/bold]
    """
    from automation.app.promotion import rollback as undo

    file, exists = undo(strategy, strategy_path)
    if as_json:
        print_json({"file": file, "exists": exists})
        return
    told = "is the previous one again" if exists else "is gone: before it there was none"
    out.print(f"{file} {told}", soft_wrap=True, highlight=False)


@contextmanager
def _progress() -> Iterator[Callable[["Progress"], None]]:
    """Show a bar with rate, best and time left; plain lines where no one watches."""
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars

    if not err.is_terminal:
        yield _lines()
        return
    columns = (BarColumn(), TextColumn("{task.description}"))
    with Bars(*columns, console=err, transient=True) as bars:
        task = bars.add_task("starting", total=None)
        yield lambda p: bars.update(
            task, total=p.target, completed=p.answered, description=_describe(p)
        )


def _lines() -> Callable[["Progress"], None]:
    last_s, told = 0.0, -1

    def tell(progress: "Progress") -> None:
        nonlocal last_s, told
        now = time.monotonic()
        is_due = now - last_s >= _LINE_S or progress.answered == progress.target
        if is_due and progress.answered != told:
            last_s, told = now, progress.answered
            err.print(_describe(progress), soft_wrap=True)

    return tell


def _describe(p: "Progress") -> str:
    best = " ".join(f"{loss:.6g}" for loss in p.best) or "-"
    minutes, seconds = divmod(int(min(p.left_s, 1e7)), 60)
    left = "" if p.left_s == float("inf") else f", {minutes}:{seconds:02d} left"
    stopped = f" ({p.stopped} stopped)" if p.stopped else ""
    return f"{p.answered}/{p.target}{stopped}, {p.rate:.1f}/s, best {best} (trial {p.best_number}){left}"


def _print_report(report: "TuneReport", as_json: bool) -> None:
    from automation.app.tuning import document

    if as_json:
        spent = {name: getattr(report.spent, name) for name in report.spent.__dataclass_fields__}
        print_json({**document(report.summary), "page": report.page, "spent": spent})
        return
    _print_summary(report.summary)
    _print_spent(report.spent)
    out.print(f"The same as a page: {report.page}", soft_wrap=True, highlight=False)
    _print_next(report.summary)


def _print_next(summary: "Summary") -> None:
    """Say what to do with the best trial, if anything."""
    best = summary.best
    if best is None or best.number == 0:
        note("no trial is better than the strategy as it stands: there is nothing to promote")
        return
    count = int(best.figures["trades"])
    if count < _FEW_TRADES:
        note(f"too few trades to tell skill from luck: {count} in the best trial")
    text = f"To verify it and put it in place: freqfleet tune promote {summary.study.name}"
    out.print(text, soft_wrap=True, highlight=False)


def _print_summary(summary: "Summary") -> None:
    from automation.tuning.report import counts, engine_line, figure_rows, shown, value_rows

    pairs = shown(summary)
    trials: list[Ranked] = [trial for _, trial in pairs]
    labels = [f"{label} ({trial.number})" for label, trial in pairs]
    _print_table(summary.study.name, ["", *labels], figure_rows(summary, trials))
    rows = [row[1:] for row in value_rows(summary, trials)]
    _print_table("parameters", ["", *labels, "importance"], rows)
    if summary.front:
        rows = [(str(each.number), *(f"{x:.6g}" for x in each.losses)) for each in summary.front]
        _print_table("front", ["trial", *summary.study.losses], rows)
    out.print(counts(summary), soft_wrap=True, highlight=False)
    out.print(engine_line(summary), soft_wrap=True, highlight=False)
    if summary.best is not None and not summary.best.keeps_constraints:
        note("no trial keeps the constraints; the best one breaks them least")


def _print_spent(spent: "Spent") -> None:
    if spent.trials:
        out.print(
            f"{spent.trials / max(spent.wall_s, 1e-9):.1f} trials/s; a trial took "
            f"{spent.engine_s / spent.trials * 1e3:.1f} ms in the engine, "
            f"{spent.sampling_s / spent.trials * 1e3:.2f} ms of sampling, "
            f"{spent.storage_s / spent.trials * 1e3:.2f} ms of storage",
            soft_wrap=True,
            highlight=False,
        )


def _print_studies(found: Sequence[tuple[str, int, int]], as_json: bool) -> None:
    if as_json:
        print_json([{"study": a, "target": b, "answered": c} for a, b, c in found])
    elif found:
        _print_table("", ["study", "trials", "of"], [(a, str(c), str(b)) for a, b, c in found])
    else:
        note("there is no study yet")


def _print_promotion(found: "Promotion") -> None:
    if found.differences:
        out.print(
            f"Freqtrade's backtest makes other trades than trial {found.trial}; nothing is written:"
        )
        for line in found.differences:
            out.print(f"  {line}", soft_wrap=True, highlight=False)
        return
    out.print(
        f"trial {found.trial}: all {found.trades} trades equal those of `freqtrade backtesting`",
        soft_wrap=True,
        highlight=False,
    )
    out.print(f"{found.file}", soft_wrap=True, highlight=False)
    if found.previous is not None:
        out.print(f"the previous file is {found.previous.name}", soft_wrap=True, highlight=False)


def _print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    if title:  # a line of its own: as wide as the table, a long name would be broken
        out.print(f"[bold]{title}[/bold]", soft_wrap=True, highlight=False)
    table = Table(box=SIMPLE_HEAD)
    for place, name in enumerate(head):
        table.add_column(name, justify="right" if place else "left", style="" if place else "dim")
    for row in rows:
        table.add_row(*row)
    out.print(table)


def _split(texts: list[str] | None) -> tuple[str, ...]:
    return tuple(part.strip() for text in texts or () for part in text.split(",") if part.strip())
