"""`freqfleet backtest`: Freqtrade's backtest without an exchange."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automation.cli.output import note, out, print_json, stages

if TYPE_CHECKING:
    from automation.app.backtests import BacktestReport
    from automation.core.backtests import StrategyOutcome

_NOT_IN_JSON = {"raw", "result_file", "start", "end"}

ProtectionsOption = Annotated[
    bool, typer.Option("--enable-protections", help="Let protections lock pairs.")
]
WalletOption = Annotated[
    float | None, typer.Option(min=1, help="Starting balance in USDT; else the configuration's.")
]
DetailOption = Annotated[str | None, typer.Option(help="Finer candles inside each candle.")]


def backtest(
    strategies: Annotated[list[str], typer.Argument(metavar="STRATEGY...", help="Class names.")],
    timerange: Annotated[str, typer.Option(help="Range like 20240101-20240701, end excluded.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Freqtrade data folder; without it a synthetic market is made."),
    ] = None,
    pairs: Annotated[
        list[str] | None,
        typer.Option("--pairs", "-p", help="Pair; repeat it, or separate pairs by commas."),
    ] = None,
    config: Annotated[
        list[Path] | None,
        typer.Option("--config", "-c", help="Your Freqtrade configuration; can be repeated."),
    ] = None,
    strategy_path: Annotated[
        Path | None, typer.Option(help="Folder of the strategies; without it the pack's.")
    ] = None,
    timeframe: Annotated[str | None, typer.Option(help="Instead of the strategy's own.")] = None,
    timeframe_detail: DetailOption = None,
    enable_protections: ProtectionsOption = False,
    wallet: WalletOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the synthetic market.")] = 1,
    results: Annotated[
        Path | None, typer.Option(help="Where results are kept, for FreqUI and later reading.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Run Freqtrade's own backtest with no exchange and no network.

    Example: [bold]freqfleet backtest TrendFollowingStrategy --data user_data/data/binance
    --timerange 20240101-20240701[/bold]
    """
    from automation.app.backtests import BacktestRequest
    from automation.app.backtests import backtest as run

    detail = ("--timeframe-detail", timeframe_detail) if timeframe_detail else ()
    protections = ("--enable-protections",) if enable_protections else ()
    balance = ("--dry-run-wallet", f"{wallet:g}") if wallet is not None else ()
    request = BacktestRequest(
        strategies=tuple(strategies),
        timerange=timerange,
        data=data,
        seed=seed,
        pairs=tuple(pair for group in pairs or () for pair in group.split(",") if pair),
        configs=tuple(config or ()),
        strategy_path=strategy_path,
        timeframe=timeframe,
        results=results,
        arguments=(*detail, *protections, *balance),
    )
    with stages(tuple(strategies)) as progress:
        report = asyncio.run(run(request, progress))
    for sentence in report.notes:
        note(sentence)
    if as_json:
        print_json(_document(report))
    else:
        _print_table(report)


def _document(report: "BacktestReport") -> dict[str, Any]:
    return {
        "timerange": report.timerange,
        "pairs": report.pairs,
        "notes": report.notes,
        "strategies": [_figures(outcome) for outcome in report.outcomes],
    }


def _figures(outcome: "StrategyOutcome") -> dict[str, Any]:
    plain = {
        name: getattr(outcome, name)
        for name in outcome.__dataclass_fields__
        if name not in _NOT_IN_JSON
    }
    return {
        **plain,
        "start": f"{outcome.start:%Y-%m-%dT%H:%M:%SZ}",
        "end": f"{outcome.end:%Y-%m-%dT%H:%M:%SZ}",
        "result_file": str(outcome.result_file),
    }


def _print_table(report: "BacktestReport") -> None:
    """One column a strategy, one row a figure: readable on eighty columns."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    first = report.outcomes[0]
    table = Table(box=SIMPLE_HEAD, title_justify="left", title_style="bold")
    bases = " ".join(pair.split("/")[0] for pair in report.pairs)
    table.title = f"{first.start:%Y-%m-%d} to {first.end:%Y-%m-%d}, USDT perpetuals: {bases}"
    table.add_column("", style="dim")
    for outcome in report.outcomes:
        table.add_column(outcome.name, justify="right")
    for row in zip(*(_rows(outcome) for outcome in report.outcomes), strict=True):
        table.add_row(row[0][0], *(cell for _, cell in row))
    out.print(table)
    for outcome in report.outcomes:
        out.print(f"{outcome.name}: {_short(outcome.result_file)}", soft_wrap=True, highlight=False)


def _rows(outcome: "StrategyOutcome") -> list[tuple[str, str]]:
    colour = "green" if outcome.profit_frac > 0 else "red"
    factor = "-" if outcome.profit_factor is None else f"{outcome.profit_factor:.2f}"
    alarm = "[red]" if outcome.liquidations else ""
    return [
        ("timeframe", outcome.timeframe),
        ("trades (long, short)", f"{outcome.trades} ({outcome.longs}, {outcome.shorts})"),
        ("wins", f"{outcome.wins / outcome.trades:.0%}" if outcome.trades else "-"),
        ("profit after all fees", f"[{colour}]{outcome.profit_frac:+.2%}[/{colour}]"),
        ("buy and hold, same pairs", f"{outcome.market_change_frac:+.2%}"),
        ("largest drawdown", f"{outcome.max_drawdown_frac:.2%}"),
        ("Sharpe", f"{outcome.sharpe:.2f}"),
        ("Sortino", f"{outcome.sortino:.2f}"),
        ("Calmar", f"{outcome.calmar:.2f}"),
        ("profit factor", factor),
        ("funding, USDT", f"{outcome.funding_fees:+.2f}"),
        ("liquidations", f"{alarm}{outcome.liquidations}"),
    ]


def _short(path: Path) -> str:
    """Say a path from where the user stands, if it is below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
