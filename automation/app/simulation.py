"""The exchange simulator as a program: serve a market until told to stop."""

import asyncio
import secrets
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from automation.core.configfile import compose
from automation.core.errors import ConfigError, ConfigErrors
from automation.core.files import write_whole
from automation.simulator import (
    AccountSpec,
    Simulator,
    Trading,
    account,
    freqtrade_overlay,
    load_scenario,
    open_market,
)
from automation.simulator.trading.log import FileLog


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
    accounts: Path | None = None
    log: Path | None = None
    tls_port: int = 0  # with accounts alone


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
    trading = _trading(request)
    async with Simulator(
        market,
        at=request.at,
        port=request.port,
        tls_port=None if trading is None else request.tls_port,
        scenario=scenario,
        admin_token=token,
        trading=trading,
    ) as simulator:
        if request.admin_token_file is not None and token is not None:
            write_whole(request.admin_token_file, token.encode(), mode=0o600)
        if request.write_config is not None:
            # With accounts over TLS: only so does ccxt tell Binance's futures errors apart.
            url = simulator.url if trading is None else simulator.tls_url
            overlay = freqtrade_overlay(url, market.pairs)
            text = orjson.dumps(overlay, option=orjson.OPT_INDENT_2) + b"\n"
            write_whole(request.write_config, text, mode=0o600)
        started(simulator)
        await _told_to_stop()


class SimulatedAccount(BaseModel):
    """One account of the simulator, as an accounts file describes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(min_length=1, description="API key.")
    secret: str = Field(min_length=1, repr=False, description="API secret.")
    deposit_usdt: float = Field(gt=0, description="What it begins with, in USDT.")
    read_key: str | None = Field(None, min_length=1, description="A key that may only read.")
    read_secret: str | None = Field(None, min_length=1, repr=False, description="Its secret.")


def read_accounts(path: Path) -> tuple[AccountSpec, ...]:
    """Read an accounts file: names with key, secret and deposit_usdt; ConfigErrors name all faults."""
    compose(path)
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(raw, dict) or not raw:
        cure = "write names, each with key, secret and deposit_usdt"
        raise ConfigError("there are no accounts in it", where=str(path), cure=cure)
    found: list[AccountSpec] = []
    faults: list[ConfigError] = []
    for name, given in raw.items():
        try:
            made = SimulatedAccount.model_validate(given)
        except ValidationError as error:
            for detail in error.errors():
                place = ".".join(str(part) for part in (name, *detail["loc"]))
                faults.append(ConfigError(detail["msg"].lower(), where=f"{path}: {place}"))
        else:
            spec = account(str(name), made.key, made.secret, made.deposit_usdt)
            if made.read_key is not None and made.read_secret is not None:
                spec = replace(spec, read_keys=((made.read_key, made.read_secret),))
            found.append(spec)
    keys = [key for spec in found for key in (spec.key, *(key for key, _ in spec.read_keys))]
    if len(set(keys)) < len(keys):
        cure = "give each account its own"
        faults.append(ConfigError("two of its keys are the same", where=str(path), cure=cure))
    if faults:
        raise ConfigErrors(faults)
    return tuple(found)


def _trading(request: SimulateRequest) -> Trading | None:
    if request.accounts is None:
        if request.tls_port:
            cure = "add --accounts, or leave --tls-port out"
            raise ConfigError("without accounts nothing needs TLS", where="--tls-port", cure=cure)
        if request.log is not None:
            cure = "add --accounts, or leave --log out"
            raise ConfigError("without accounts nothing is logged", where="--log", cure=cure)
        return None
    specs = read_accounts(request.accounts)
    return Trading(specs, log=None if request.log is None else FileLog(request.log))


async def _told_to_stop() -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
