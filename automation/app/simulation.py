"""The exchange simulator as a program: serve a market until told to stop."""

import asyncio
import secrets
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from automation.core.files import write_whole
from automation.simulator import Simulator, freqtrade_overlay, load_scenario, open_market


@dataclass(frozen=True, slots=True)
class SimulateRequest:
    """What the user typed. Without `data` the market is synthetic; port 0 lets the system choose."""

    data: Path | None = None
    at: datetime | None = None
    seed: int = 1
    port: int = 0
    write_config: Path | None = None
    scenario: Path | None = None
    admin_token_file: Path | None = None


async def simulate(request: SimulateRequest, started: Callable[[Simulator], None]) -> None:
    """Serve until SIGINT or SIGTERM; `started` is told once the port answers.

    Raises ConfigError for data or a scenario that cannot be served, DependencyError for a port that
    is taken.
    """
    market = open_market(request.seed if request.data is None else request.data)
    scenario = None
    if request.scenario is not None:
        scenario = load_scenario(request.scenario, market.instruments)
    token = None if request.admin_token_file is None else secrets.token_urlsafe(24)
    async with Simulator(
        market, at=request.at, port=request.port, scenario=scenario, admin_token=token
    ) as simulator:
        if request.admin_token_file is not None and token is not None:
            write_whole(request.admin_token_file, token.encode(), mode=0o600)
        if request.write_config is not None:
            overlay = freqtrade_overlay(simulator.url, market.pairs)
            text = orjson.dumps(overlay, option=orjson.OPT_INDENT_2) + b"\n"
            write_whole(request.write_config, text, mode=0o600)
        started(simulator)
        await _told_to_stop()


async def _told_to_stop() -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
