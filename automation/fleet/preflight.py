"""The guard rails that need the files behind a fleet: configurations, strategies, shared pollers.

What contradicts itself inside fleet.yaml is refused when it is read; here the Freqtrade files and
strategies that it names are looked at, so that a bot which cannot start is a sentence before
anything starts. Called by the supervisor before it takes charge, and by `doctor`.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from automation.core.classnames import class_names
from automation.core.config import Bot, Mode
from automation.core.errors import ConfigError, ConfigErrors
from automation.core.freqtradejson import read_layers
from automation.core.secrets import resolve
from automation.fleet.site import Site

BASE_CONFIGS = ("base.json", "futures.json")


def base_layers(root: Path) -> list[Path]:
    """List the pack's configurations that lie under every bot's own."""
    return [root / "configs" / name for name in BASE_CONFIGS]


def own_layers(root: Path, bot: Bot) -> list[Path]:
    """List a bot's own configurations."""
    return [root / path.expanduser() for path in bot.configs]


def strategy_folder(site: Site, bot: Bot) -> Path:
    """Tell the folder that a bot's strategy is looked for in."""
    path = bot.strategy_path
    return site.root / path.expanduser() if path else site.strategies


def faults(site: Site) -> list[ConfigError]:
    """Find everything about the files behind the fleet that would keep a bot from trading."""
    return [
        *(fault for bot in site.fleet.bots for fault in _faults_of(site, bot)),
        *_shared_pollers(site),
        *_shared_keys(site),
    ]


def refuse_faults(site: Site) -> None:
    """Raise ConfigErrors with every fault found."""
    found = faults(site)
    if found:
        raise ConfigErrors(found)


def settled(site: Site, bot: Bot) -> dict[str, Any]:
    """Read what a bot's layered configurations say, before fleet.yaml has its word."""
    return read_layers([*base_layers(site.root), *own_layers(site.root, bot)])


def pairs_of(site: Site, bot: Bot) -> tuple[str, ...]:
    """Tell the pairs a bot trades: its own, else those of its configurations."""
    if bot.pairs:
        return bot.pairs
    listed = settled(site, bot).get("exchange", {}).get("pair_whitelist", [])
    return tuple(str(pair) for pair in listed)


def _faults_of(site: Site, bot: Bot) -> Iterator[ConfigError]:
    where = f"bot {bot.name}"
    try:
        layers = settled(site, bot)
    except ConfigError as error:
        yield ConfigError(f"{error}", where=f"{where}: configs")
        return
    name = layers.get("exchange", {}).get("name", "binance")
    if name != "binance":
        yield ConfigError(f"its configurations name the exchange {name}", where=where)
    mode = layers.get("trading_mode", "futures")
    if mode != "futures":
        yield ConfigError(f"its configurations trade {mode}, not futures", where=where)
    if not pairs_of(site, bot) and _is_static(layers):
        cure = "list pairs in the fleet file or pair_whitelist in a configuration"
        yield ConfigError("it has no pairs to trade", where=where, cure=cure)
    if bot.runner == "docker" and site.fleet.exchange.simulator.speed != 1:
        cure = "leave --speed out, or set runner: process"
        yield ConfigError("a container cannot fly on a fast clock", where=where, cure=cure)
    yield from _missing_strategy(site, bot, where)


def _is_static(layers: dict[str, Any]) -> bool:
    methods = [entry.get("method") for entry in layers.get("pairlists", [])]
    return methods in ([], ["StaticPairList"])


def _missing_strategy(site: Site, bot: Bot, where: str) -> Iterator[ConfigError]:
    folder = strategy_folder(site, bot)
    if not folder.is_dir():
        yield ConfigError(f"there is no folder {folder}", where=f"{where}: strategy_path")
        return
    known: set[str] = set()
    for file in folder.glob("*.py"):
        known.update(class_names(file.read_text(encoding="utf-8", errors="replace")))
    if bot.strategy not in known:
        close = get_close_matches(bot.strategy, known, n=1)
        cure = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(known))}"
        yield ConfigError(f"no strategy {bot.strategy} in {folder}", where=where, cure=cure)


def _shared_pollers(site: Site) -> Iterator[ConfigError]:
    """One Telegram token, one poller: also where the token stands in a Freqtrade configuration."""
    pollers: dict[str, list[str]] = {}
    for bot in site.fleet.bots:
        if bot.telegram is not None:
            continue  # by reference: compared when the fleet file was read
        try:
            telegram = settled(site, bot).get("telegram", {})
        except ConfigError:
            continue  # told already
        if telegram.get("enabled") and telegram.get("token"):
            pollers.setdefault(str(telegram["token"]), []).append(bot.name)
    for names in pollers.values():
        if len(names) > 1:
            yield ConfigError(
                f"the configurations of {', '.join(names)} poll one Telegram token",
                where="telegram",
                cure="give each its own token, or disable Telegram for all but one",
            )


def _shared_keys(site: Site) -> Iterator[ConfigError]:
    """Accounts that are one at the exchange, though their references differ, must not be fought over."""
    accounts = site.fleet.exchange.accounts
    owner: dict[tuple[str, str], Bot] = {}
    for bot in site.fleet.bots:
        account = accounts.get(bot.account or "")
        if bot.mode is not Mode.LIVE or account is None:
            continue
        try:
            key, pairs = resolve(account.key).reveal(), pairs_of(site, bot)
        except ConfigError:
            continue  # told elsewhere: a missing secret when the bot is rendered
        for pair in pairs:
            other = owner.setdefault((key, pair), bot)
            if other is not bot:
                message = f"{other.name} and {bot.name} trade {pair} live with one exchange key"
                yield ConfigError(message, where="bots", cure="give them disjoint pairs")
