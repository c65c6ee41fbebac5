"""`freqfleet train`: fit models on past data for strategies to use."""

from pathlib import Path
from typing import Annotated

import typer

from automation.cli.output import note, out, print_json

program = typer.Typer(
    name="train", help="Fit models on past data, for strategies to use.", no_args_is_help=True
)


@program.callback()
def _root() -> None:
    """Keep `freqfleet train COMMAND` a group even while there is a single command."""


@program.command()
def regime(
    data: Annotated[Path, typer.Option(metavar="DIR", help="Freqtrade data folder.")],
    until: Annotated[str, typer.Option(help="Day like 2024-06-30; only older candles are used.")],
    pairs: Annotated[
        list[str] | None,
        typer.Option("--pairs", "-p", help="Pair; repeat it, or separate pairs by commas."),
    ] = None,
    timeframe: Annotated[str, typer.Option(help="Candles to fit on; the strategy's.")] = "5m",
    window_days: Annotated[int, typer.Option(min=10, help="Days that one fit sees.")] = 180,
    step_days: Annotated[int, typer.Option(min=1, help="Days between two fits.")] = 30,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Fit the regime models by walk-forward and write a dated series of parameters.

    Example: [bold]freqfleet train regime --data user_data/data/binance --until 2024-06-30[/bold]
    """
    from automation.app.training import TrainRequest, train_regime

    request = TrainRequest(
        data=data,
        until=until,
        pairs=tuple(pair for group in pairs or () for pair in group.split(",") if pair),
        timeframe=timeframe,
        window_days=window_days,
        step_days=step_days,
        output=output,
    )
    report = train_regime(request)
    last = report.trained.fits[-1]._asdict()
    if as_json:
        fits = [fit._asdict() for fit in report.trained.fits]
        print_json(
            {"file": str(report.file), "data_sha256": report.trained.data_sha256, "fits": fits}
        )
        return
    note(f"{len(report.trained.fits)} fits; the last one:")
    for name, value in last.items():
        out.print(
            f"{name:>16}  {value:.6g}" if isinstance(value, float) else f"{name:>16}  {value}"
        )
    out.print(str(report.file), soft_wrap=True, highlight=False)
