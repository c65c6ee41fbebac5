"""`freqfleet gate`: bundle, run, baseline."""

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automation.cli.output import err, note, out, print_json

if TYPE_CHECKING:
    from automation.gates.verdicts import GateReport

program = typer.Typer(
    name="gate", help="Judge strategies by backtests that need no exchange.", no_args_is_help=True
)
_Bundle = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The bundle; else the configuration's.")
]
_Config = Annotated[
    Path | None, typer.Option("--config", help="Gate configuration; else configs/gate.yaml.")
]
_Cache = Annotated[Path | None, typer.Option(metavar="DIR", help="Where results are kept.")]
_Workers = Annotated[int | None, typer.Option(min=1, help="Processes at once; else one a core.")]


def _split(groups: list[str] | None) -> tuple[str, ...]:
    return tuple(one for group in groups or () for one in group.split(",") if one)


@program.command()
def bundle(
    timerange: Annotated[str, typer.Option(help="Range like 20250101-20250701, end excluded.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write the bundle.")
    ],
    data: Annotated[Path | None, typer.Option(help="Freqtrade data folder to take from.")] = None,
    pairs: Annotated[
        list[str] | None,
        typer.Option("--pairs", "-p", help="Pair; repeat it, or separate pairs by commas."),
    ] = None,
    timeframes: Annotated[
        list[str] | None, typer.Option(help="Candle lengths; else all that cover the range.")
    ] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Let Freqtrade download the candles.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Make the candles up from this seed.")
    ] = None,
    config: Annotated[
        list[Path] | None,
        typer.Option("--config", "-c", help="Freqtrade configuration for --download."),
    ] = None,
    lead_days: Annotated[
        int, typer.Option(min=0, help="Days before the range, for start-up periods.")
    ] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Pack candles, mark prices, funding, market rules and leverage tiers into one file.

    Example: [bold]freqfleet gate bundle --data user_data/data/binance -p BTC/USDT:USDT
    --timerange 20250101-20250701 -o bundle.tar.zst[/bold]
    """
    from automation.app.bundles import BundleRequest, make_bundle

    request = BundleRequest(
        timerange=timerange,
        pairs=_split(pairs),
        data=data,
        seed=seed,
        download=download,
        timeframes=_split(timeframes),
        configs=tuple(config or ()),
        lead_days=lead_days,
    )
    made = make_bundle(request, output)
    size = output.stat().st_size
    if as_json:
        print_json({"file": str(output), "bytes": size, "address": made.address,
                    "pairs": made.pairs, "timeframes": made.timeframes})  # fmt: skip
    else:
        out.print(f"{output}: {size / 1e6:.1f} MB, {len(made.pairs)} pairs", highlight=False)
        out.print(f"address {made.address}", highlight=False)


@program.command()
def run(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE...]", help="Only strategies in these.")
    ] = None,
    bundle: _Bundle = None,
    config: _Config = None,
    base: Annotated[
        str | None, typer.Option(metavar="REF", help="Compare with this commit.")
    ] = None,
    no_base: Annotated[bool, typer.Option("--no-base", help="Compare with nothing.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Untouched strategies as well.")
    ] = False,
    strategy: Annotated[list[str] | None, typer.Option(help="Only these; can be repeated.")] = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Load, truncation test and one month only.")
    ] = False,
    listed: Annotated[
        bool, typer.Option("--list", help="Only say which strategies would be judged.")
    ] = False,
    output: Annotated[
        str | None, typer.Option(metavar="NAME", help="With --list: one line NAME=JSON.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write gate.md, .json, .sarif, .html and junit.xml."),
    ] = None,
    summary: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Append the Markdown report to a file.")
    ] = None,
    cache: _Cache = None,
    workers: _Workers = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Judge every strategy whose outcome the change can touch; exit 0 pass, 1 fail.

    Example: [bold]freqfleet gate run --bundle bundle.tar.zst --report report[/bold]
    """
    from automation.app.gates import GateRequest, list_touched, run_gate

    asked = GateRequest(
        folder=Path.cwd(),
        bundle=bundle,
        config=config,
        ref=base,
        with_base=not no_base and not smoke,
        is_all=everything or smoke or bool(strategy),
        is_smoke=smoke,
        names=_split(strategy),
        files=tuple(files or ()),
        cache=cache,
        workers=workers or os.cpu_count() or 1,
    )
    if listed:
        _print_names(list_touched(asked), output, as_json)
        return
    found = asyncio.run(run_gate(asked, _tell))
    _answer(found, report, summary, as_json)


@program.command()
def baseline(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")
    ],
    bundle: _Bundle = None,
    config: _Config = None,
    cache: _Cache = None,
    workers: _Workers = None,
) -> None:
    """Judge all strategies as they stand and keep the results for later comparisons.

    Example: [bold]freqfleet gate baseline --bundle bundle.tar.zst -o baseline.json[/bold]
    """
    from automation.app.gates import GateRequest, make_baseline

    asked = GateRequest(
        folder=Path.cwd(),
        bundle=bundle,
        config=config,
        cache=cache,
        workers=workers or os.cpu_count() or 1,
    )
    found = asyncio.run(make_baseline(asked, output, _tell))
    err.print(f"wrote {output}")
    _answer(found, None, None, as_json=False)


@program.command()
def comment(
    repository: Annotated[str, typer.Option(metavar="OWNER/NAME", help="The repository.")],
    run: Annotated[int, typer.Option(help="The finished run whose reports are shown.")],
    api: Annotated[str, typer.Option(help="GitHub's REST API.")] = "https://api.github.com",
) -> None:
    """Write one comment on a pull request from the reports of its finished run.

    Nothing of the pull request is run or believed; the token is taken from GITHUB_TOKEN. Example:
    [bold]freqfleet gate comment --repository owner/name --run 123[/bold]
    """
    from automation.app.github import CommentRequest, post_comment
    from automation.core.errors import ConfigError

    token = os.environ.get("GITHUB_TOKEN", "")
    if not token:
        raise ConfigError("there is no token", where="GITHUB_TOKEN", cure="set the variable")
    err.print(asyncio.run(post_comment(CommentRequest(repository, run, token, api))))


def _print_names(names: tuple[str, ...], output: str | None, as_json: bool) -> None:
    if output is not None:
        typer.echo(f"{output}={json.dumps(names)}")
    elif as_json:
        print_json(names)
    else:
        for name in names:
            typer.echo(name)


def _tell(name: str, stage: str) -> None:
    err.print(f"{name}: {stage}", soft_wrap=True)


def _answer(found: "GateReport", folder: Path | None, summary: Path | None, as_json: bool) -> None:
    from automation.gates.reports import document, markdown, table, write_reports

    if folder is not None:
        write_reports(found, folder)
    if summary is not None:
        with summary.open("a", encoding="utf-8") as file:
            file.write(markdown(found))
    for sentence in found.notes:
        note(sentence)
    if as_json:
        print_json(document(found))
    else:
        out.print(table(found))
    if not found.passed:
        raise typer.Exit(1)
