"""Renders one bot: the overlay that comes last, its secrets, and the command that starts it.

Layers, later ones winning: the pack's base and futures configurations, what fleet.yaml leaves
unsaid (`defaults.json`), the bot's own configurations, what fleet.yaml says (`config.json`), the
secrets (`secrets.json`). So an existing Freqtrade configuration keeps its word wherever the fleet
file is silent, and never has one on mode, API or account.

Secrets go into a file of mode 0600 and not into the environment: Freqtrade reads its configuration
again on reload, children inherit an environment, and Freqtrade turns a variable that looks like a
number into one. How the simulator is reached stands in the file that it writes itself.
"""

import os
from pathlib import Path
from typing import Any

from automation.core.config import Bot, Fleet, Mode, Venue
from automation.core.masking import register_secret
from automation.core.model import Wish
from automation.core.seams import Launch, ProcessLimits
from automation.core.secrets import resolve
from automation.fleet.contained import contained_environment, container_of, listen_address
from automation.fleet.credentials import ApiAccess
from automation.fleet.home import Home, make_private, write_json
from automation.fleet.lifecycle import kept
from automation.fleet.market import read_exchange_section
from automation.fleet.ports import LOOPBACK
from automation.fleet.preflight import base_layers, own_layers, strategy_folder
from automation.fleet.site import Site, environment

FREQUI_PORTS = (3000, 8080)
"""Where FreqUI is served in development and from its image; a bot can serve it as well."""


def render_bot(site: Site, bot: Bot, access: ApiAccess, wish: Wish) -> Launch:
    """Write the bot's layers into its folder and tell how to start it.

    Raises ConfigError when a secret is missing, DependencyError when the disk refuses.
    """
    folder = site.home.unit(bot.name)
    make_private(folder / "user_data")
    said, unsaid = overlay(site, bot, access, wish)
    said["exchange"] = exchange_section(site, bot)
    write_json(folder / "defaults.json", unsaid)
    write_json(folder / "config.json", said)
    secrets = secret_layer(site.fleet, bot)
    if secrets:
        write_json(folder / "secrets.json", secrets)
    else:
        (folder / "secrets.json").unlink(missing_ok=True)
    return launch_of(site, bot)


def overlay(
    site: Site, bot: Bot, access: ApiAccess, wish: Wish
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tell what the fleet file says of a bot, and what it leaves to the bot's configurations.

    The exchange section is left out: the simulator has to run before it can be told.
    """
    chosen: dict[str, Any] = {
        "max_open_trades": bot.max_open_trades,
        "stake_amount": bot.stake_usdt,
        "capital": bot.capital_usdt,
    }
    names = {"stake_amount": "stake_usdt", "capital": "capital_usdt"}
    said: dict[str, Any] = {}
    unsaid: dict[str, Any] = {}
    for key, value in chosen.items():
        is_said = names.get(key, key) in bot.model_fields_set
        target = said if is_said else unsaid
        target[_capital_key(bot) if key == "capital" else key] = value
    said |= {
        "bot_name": bot.name,
        "dry_run": bot.mode is Mode.DRY_RUN,
        "initial_state": "paused" if wish in (Wish.PAUSE, Wish.DRAIN) else "running",
        "trading_mode": "futures",
        "margin_mode": site.fleet.exchange.margin_mode,
        "api_server": _api_section(site, bot, access),
        "freqfleet": {"fleet": site.fleet.fleet, "bot": bot.name, "profile": str(bot.profile)},
    }
    if bot.timeframe:
        said["timeframe"] = bot.timeframe
    return said, unsaid


def exchange_section(site: Site, bot: Bot) -> dict[str, Any]:
    """Tell how the bot reaches its exchange, without secrets.

    Raises TransientError when the simulator does not say yet how it is reached.
    """
    section: dict[str, Any] = {"name": "binance"}
    if site.fleet.exchange.venue is Venue.SIMULATOR:
        if site.exchange_section is not None:
            section |= site.exchange_section(bot, site.simulator_url)
        else:
            section |= read_exchange_section(site.home)
        section.pop("pair_whitelist", None)
        if site.fast is not None:
            section = site.fast.patient(section)
    if bot.pairs:
        section["pair_whitelist"] = list(bot.pairs)
    return section


def secret_layer(fleet: Fleet, bot: Bot) -> dict[str, Any]:
    """Fetch the bot's secrets; empty when it needs none."""
    layer: dict[str, Any] = {}
    account = fleet.exchange.accounts.get(bot.account or "")
    if bot.mode is Mode.LIVE and account is not None:
        where = f"exchange.accounts.{bot.account}"
        layer["exchange"] = {
            "key": _reveal(account.key, f"{where}.key"),
            "secret": _reveal(account.secret, f"{where}.secret"),
        }
    if bot.telegram is not None:
        where = f"bot {bot.name}: telegram"
        layer["telegram"] = {
            "enabled": True,
            "token": _reveal(bot.telegram.token, f"{where}.token"),
            "chat_id": _reveal(bot.telegram.chat_id, f"{where}.chat_id"),
        }
    return layer


def forget_secrets(home: Home, bot: str) -> None:
    """Remove a stopped bot's secrets; they are fetched again when it starts."""
    (home.unit(bot) / "secrets.json").unlink(missing_ok=True)


def launch_of(site: Site, bot: Bot) -> Launch:
    """Tell the command that starts a bot whose layers are written."""
    folder = site.home.unit(bot.name)
    mark = str(folder / "config.json")
    is_contained = bot.runner == "docker"
    python = site.fleet.docker.python if is_contained else site.python
    argv = [python, "-m", "freqtrade", "trade"]
    for config in layers(site, bot):
        argv += ["-c", str(config)]
    env = contained_environment(site) if is_contained else environment(site)
    strategies = strategy_folder(site, bot)
    if kept.is_kept(site.home, bot.name):
        strategies = kept.accepted(site.home, bot.name) / kept.STRATEGIES
        env["PYTHONPATH"] = os.pathsep.join([str(strategies), env["PYTHONPATH"]])
    argv += ["--strategy", bot.strategy, "--strategy-path", str(strategies)]
    argv += ["--db-url", f"sqlite:///{database(site, bot)}"]
    argv += ["--userdir", str(folder / "user_data")]
    argv += ["--logfile", str(log_path(site.home, bot.name))]
    return Launch(
        unit=bot.name,
        folder=folder,
        argv=tuple(argv),
        env=env,
        cwd=site.root,
        console=folder / "logs" / "console.log",
        mark=mark,
        nice=bot.resources.nice,
        limits=ProcessLimits() if is_contained else limits_of(bot),
        container=container_of(site, bot, own_files(site, bot)) if is_contained else None,
    )


def limits_of(bot: Bot) -> ProcessLimits:
    """Tell what a bot may use as a process of this machine."""
    asked = bot.resources
    return ProcessLimits(asked.memory_mb, asked.cpus, asked.pids, asked.files)


def own_files(site: Site, bot: Bot) -> tuple[Path, ...]:
    """List what of this machine a contained bot has to read beside its own folder."""
    base, own = base_layers(site.root), own_layers(site.root, bot)
    return (site.strategies, strategy_folder(site, bot), *base, *own)


def layers(site: Site, bot: Bot) -> list[Path]:
    """List a bot's configuration files, later ones winning."""
    folder = site.home.unit(bot.name)
    secrets = [folder / "secrets.json"] if secret_references(site.fleet, bot) else []
    base, own = base_layers(site.root), own_layers(site.root, bot)
    if kept.is_kept(site.home, bot.name):
        copies = kept.accepted(site.home, bot.name) / kept.CONFIGS
        paths = sorted(copies.iterdir())
        base, own = paths[: len(base)], paths[len(base) :]
    return [*base, folder / "defaults.json", *own, folder / "config.json", *secrets]


def secret_references(fleet: Fleet, bot: Bot) -> tuple[str, ...]:
    """List where the bot's own secrets are."""
    account = fleet.exchange.accounts.get(bot.account or "")
    of_account = (account.key, account.secret) if account and bot.mode is Mode.LIVE else ()
    of_telegram = (bot.telegram.token, bot.telegram.chat_id) if bot.telegram else ()
    return (*of_account, *of_telegram)


def database(site: Site, bot: Bot) -> Path:
    """Tell a bot's database; its own are kept apart by venue and mode.

    Trades that never happened must not turn up when a bot goes live.
    """
    if bot.database is not None:
        return site.root / bot.database.expanduser()
    run = f".{site.fast.run}" if site.fast else ""  # another run's trades are of another time
    return site.home.unit(bot.name) / f"trades.{site.fleet.exchange.venue}.{bot.mode}{run}.sqlite"


def log_path(home: Home, bot: str) -> Path:
    """Tell Freqtrade's own log of a bot; Freqtrade rotates it at 10 MB."""
    return home.unit(bot) / "logs" / "freqtrade.log"


def _capital_key(bot: Bot) -> str:
    return "dry_run_wallet" if bot.mode is Mode.DRY_RUN else "available_capital"


def _api_section(site: Site, bot: Bot, access: ApiAccess) -> dict[str, Any]:
    ports = sorted({*FREQUI_PORTS, *site.ports, access.port})
    return {
        "enabled": True,
        "listen_ip_address": listen_address(site, bot),
        "listen_port": access.port,
        "verbosity": "error",
        "enable_openapi": False,
        "username": access.username,
        "password": access.password,
        "jwt_secret_key": access.jwt_secret_key,
        "ws_token": access.ws_token,
        "CORS_origins": [f"http://{host}:{p}" for p in ports for host in ("localhost", LOOPBACK)],
    }


def _reveal(reference: str, where: str) -> str:
    value = resolve(reference, where=where).reveal()
    register_secret(value)
    return value
