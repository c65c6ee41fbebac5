"""`freqfleet simulate`: a stand-in of Binance USDT-M futures on this machine."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automation.cli.output import err, instant

if TYPE_CHECKING:
    from automation.simulator import Simulator


def simulate(
    data: Annotated[
        Path | None, typer.Option(help="Freqtrade data folder to replay; else a synthetic market.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="INSTANT", help="Instant in the data that becomes now (whole hours)."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the synthetic market.")] = 1,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on loopback; 0: a free one.")
    ] = 0,
    write_config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a Freqtrade configuration that points here."),
    ] = None,
    scenario: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What goes wrong, and when (YAML).")
    ] = None,
    admin_token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a token for /admin here, and let /admin answer."),
    ] = None,
    accounts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Accounts that trade: names with key, secret, deposit."),
    ] = None,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the exchange's event log here.")
    ] = None,
    tls_port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="TLS port on loopback, with accounts; 0: a free one."),
    ] = 0,
) -> None:
    """Serve a market that Freqtrade, ccxt or a notebook takes for Binance USDT-M futures.

    Example: [bold]freqfleet simulate --data user_data/data/binance --at 2024-08-05T00:00Z
    --write-config simulator.json[/bold], then [bold]freqtrade trade -c config.json
    -c simulator.json[/bold].
    """
    from automation.app.simulation import SimulateRequest
    from automation.app.simulation import simulate as run

    request = SimulateRequest(
        data,
        instant(at, "--at"),
        seed,
        port,
        write_config,
        scenario=scenario,
        admin_token_file=admin_token_file,
        accounts=accounts,
        log=log,
        tls_port=tls_port,
    )

    asyncio.run(run(request, lambda simulator: _say(simulator, write_config)))


def _say(simulator: "Simulator", write_config: Path | None) -> None:
    err.print(f"serving {len(simulator.market.pairs)} pairs at {simulator.url}")
    if write_config is not None:
        err.print(
            f"wrote {write_config}: add [bold]-c {write_config}[/bold] to freqtrade's command"
        )
    err.print("Ctrl-C stops it")
