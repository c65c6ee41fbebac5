"""What a bot runs: a copy of its strategy, the kit and its configurations, kept in its folder.

    accepted/    what it runs, and is started with again after a failure
    candidate/   what it shall run next; only here while that is rehearsed
    before/      what it ran until the last change

Each has `strategies/` (the strategy's folder, the kit in `tradekit/`) and `configs/` (each layer,
what it includes laid in). A bot that fails must come back as it was, whatever lies in the strategy's
folder meanwhile. Folders are complete or absent. Refuses to decide what is accepted. Called by
`render`, `act` and `changes`.
"""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from automation.core.classnames import class_names
from automation.core.config import Bot
from automation.core.errors import ConfigError
from automation.core.freqtradejson import read
from automation.fleet.home import Home, disk_error, write_private
from automation.fleet.preflight import base_layers, own_layers, strategy_folder
from automation.fleet.site import Site

STRATEGIES, CONFIGS, KIT = "strategies", "configs", "tradekit"
FLOWN = "flown"  # stands beside what a bot was healthy with
CHANGE = "change"
"""Cause of the hold of a bot whose change waits until no trade is open."""
MOST_FILES, MOST_BYTES = 2000, 50_000_000
_SKIPPED = frozenset({"__pycache__", "node_modules"})


@dataclass(frozen=True, slots=True)
class Difference:
    """What of a bot's files is no longer what it runs."""

    files: tuple[str, ...] = ()
    needs_restart: bool = False  # modules beside the strategy's own file, which Python caches

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.files)

    @property
    def sentence(self) -> str:
        """Name the files, not all of many."""
        shown, more = self.files[:4], len(self.files) - 4
        return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def accepted(home: Home, bot: str) -> Path:
    """Tell the folder with what a bot runs."""
    return home.unit(bot) / "accepted"


def candidate(home: Home, bot: str) -> Path:
    """Tell the folder with what a bot shall run next."""
    return home.unit(bot) / "candidate"


def is_kept(home: Home, bot: str) -> bool:
    """Tell whether a bot runs from a copy; it may be killed between the two renames of `accept`."""
    folder = accepted(home, bot)
    before = folder.with_name("before")
    if not folder.is_dir() and before.is_dir():
        before.rename(folder)
    return folder.is_dir()


def layer_names(site: Site, bot: Bot) -> list[str]:
    """Name the copies of a bot's layers, the pack's first, then its own; in their order."""
    paths = [*base_layers(site.root), *own_layers(site.root, bot)]
    return [f"{number:02}-{path.name}" for number, path in enumerate(paths)]


def difference(site: Site, bot: Bot) -> Difference:
    """Compare the files behind a bot with what it runs.

    Raises ConfigError for a configuration that cannot be read. Other strategies in the same folder
    do not count, unless the bot's own names them.
    """
    folder = accepted(site.home, bot.name)
    if not is_kept(site.home, bot.name):
        return Difference()
    now = dict(contents(site, bot))
    was = {str(path.relative_to(folder)): path.read_bytes() for path in _tree(folder)}
    was.pop(FLOWN, None)
    changed = [name for name in sorted(now.keys() | was.keys()) if now.get(name) != was.get(name)]
    own = _own_file(bot, now) or _own_file(bot, was)
    counting = [name for name in changed if not _is_another(name, now, was, own, bot)]
    modules = [name for name in counting if name.endswith(".py") and name != own]
    return Difference(tuple(counting), bool(modules))


def stage(site: Site, bot: Bot) -> Path:
    """Copy what lies behind a bot now into its candidate folder; errors as `contents`."""
    target = candidate(site.home, bot.name)
    found = dict(contents(site, bot))
    try:
        shutil.rmtree(target, ignore_errors=True)
        for name, content in found.items():
            write_private(target / name, content)
    except OSError as error:
        raise disk_error(error, target) from None
    return target


def accept(home: Home, bot: str) -> None:
    """Let the candidate be what the bot runs; what it ran is kept as `before`."""
    folder = accepted(home, bot)
    before = folder.with_name("before")
    try:
        if folder.is_dir():
            shutil.rmtree(before, ignore_errors=True)
            folder.rename(before)
        candidate(home, bot).rename(folder)
    except OSError as error:
        raise disk_error(error, folder) from None


def drop(home: Home, bot: str) -> None:
    """Forget the candidate."""
    shutil.rmtree(candidate(home, bot), ignore_errors=True)


def renew(site: Site, bot: Bot) -> None:
    """Have a bot's next process run what lies there now; a folder too large to copy is used in place."""
    if is_kept(site.home, bot.name) and not difference(site, bot):
        return
    try:
        stage(site, bot)
    except _TooLarge:
        shutil.rmtree(accepted(site.home, bot.name), ignore_errors=True)
        return
    accept(site.home, bot.name)


def has_flown(home: Home, bot: str) -> bool:
    """Tell whether the bot was ever healthy with what it runs."""
    return (accepted(home, bot) / FLOWN).exists()


def mark_flown(home: Home, bot: str) -> None:
    """Note that the bot is healthy with what it runs."""
    if is_kept(home, bot):
        write_private(accepted(home, bot) / FLOWN, b"")


class _TooLarge(ConfigError):
    """The strategy's folder holds more than is copied."""


def contents(site: Site, bot: Bot) -> Iterator[tuple[str, bytes]]:
    """Read everything that makes a bot, under the names of its copies; ConfigError if one cannot be."""
    folder, kit = strategy_folder(site, bot), site.strategies / KIT
    files = {f"{STRATEGIES}/{path.relative_to(folder)}": path for path in _tree(folder)}
    if kit.is_dir() and not (folder / KIT).is_dir():
        files |= {f"{STRATEGIES}/{KIT}/{path.relative_to(kit)}": path for path in _tree(kit)}
    size = 0
    for name, path in files.items():
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from None
        size += len(content)
        if size > MOST_BYTES or len(files) > MOST_FILES:
            cure = "give the strategy a folder of its own"
            raise _TooLarge("too much to be copied", where=str(folder), cure=cure)
        yield name, content
    layers = [*base_layers(site.root), *own_layers(site.root, bot)]
    for name, path in zip(layer_names(site, bot), layers, strict=True):
        yield f"{CONFIGS}/{name}", orjson.dumps(read(path), option=orjson.OPT_INDENT_2)


def _tree(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith(".") or path.name in _SKIPPED:
            continue
        if path.is_dir():
            yield from _tree(path)
        elif path.is_file():
            yield path


def _own_file(bot: Bot, now: dict[str, bytes]) -> str:
    """Name the file that defines the bot's strategy; "" when none does any more."""
    for name, content in now.items():
        is_candidate = name.startswith(f"{STRATEGIES}/") and name.endswith(".py")
        if is_candidate and bot.strategy in class_names(content.decode("utf-8", "replace")):
            return name
    return ""


def _is_another(
    name: str, now: dict[str, bytes], was: dict[str, bytes], own: str, bot: Bot
) -> bool:
    """Tell whether a file is a strategy of its own beside the bot's, or its parameters."""
    path = Path(name)
    if path.parent != Path(STRATEGIES) or name == own or path.stem == bot.strategy:
        return False
    code = str(path.with_suffix(".py"))
    text = now.get(code) or was.get(code, b"")
    is_strategy = bool(class_names(text.decode("utf-8", "replace")))
    imports = re.compile(rf"^\s*(from|import)\s.*\b{re.escape(path.stem)}\b", re.MULTILINE)
    return is_strategy and not imports.search(
        now.get(own, was.get(own, b"")).decode("utf-8", "replace")
    )
