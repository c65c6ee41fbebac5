"""Where a rehearsal runs: beside the supervisor, or in a container of the bot image.

Where no Freqtrade is installed (the sidecar's image) a rehearsal is a job as a backtest is: bounded,
without network, gone afterwards, or as soon as its supervisor ends. It is handed a copy of what the
bot shall run and settings without secrets, and answers with one JSON document. Loads nothing of the
gates here, for what they need is not installed either. Handed to the supervisor by `fleets`.
"""

import asyncio
import shutil
import threading
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel, ValidationError

from automation.app.jobs import contained, environment, make_folder
from automation.core.config import Bot, Docker
from automation.core.errors import DependencyError, Refusal, TransientError
from automation.core.freqtradejson import read_layers
from automation.core.masking import mask
from automation.core.paths import configs, home
from automation.fleet.lifecycle.changes import Rehearsal

if TYPE_CHECKING:
    from automation.fleet.containers.jobs import Done, Job

PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT")
LIMIT_S = 1440.0  # of the half hour that `freqfleet reload` waits
CPUS = 1.0  # the others are the bots'
LONGEST = 600  # characters of a reason

_STRATEGIES, _SETTINGS, _ASKED = "strategies", "settings.json", "asked.json"
_TOLD_OF_A_BOT = {"name", "strategy", "timeframe", "capital_usdt"}
_LEFT_OUT = frozenset({
    "telegram", "webhook", "discord", "api_server", "external_message_consumer", "coingecko",
    "pairlists", "db_url", "logfile", "log_config", "available_capital",
})  # fmt: skip
"""What of a bot's settings reaches somebody else, or lies outside a rehearsal."""


class Verdict(BaseModel):
    """What a rehearsal in a container answers: why the bot may not run it; None when it may."""

    refusal: str | None


class Rehearsals:
    """The rehearsals of one supervisor; whoever ends it cancels those under way."""

    def __init__(self) -> None:
        """Begin with none."""
        self.under_way: set[asyncio.Task[Any]] = set()

    async def hold(self, asked: Rehearsal) -> Refusal | None:
        """Rehearse; a Refusal says why the bot may not run it.

        Raises DependencyError where something outside failed, or the supervisor ends before it.
        """
        trying = asyncio.create_task(rehearse(asked), name=f"rehearsal of {asked.bot.name}")
        self.under_way.add(trying)
        asker = asyncio.current_task()
        try:
            return await trying
        except asyncio.CancelledError:
            if asker is not None and asker.cancelling():
                raise
            raise TransientError("the supervisor ended before it was rehearsed") from None
        finally:
            self.under_way.discard(trying)


async def rehearse(asked: Rehearsal) -> Refusal | None:
    """Rehearse where it can be done: in a container, here, or nowhere; raises as `hold`."""
    settings = contained()
    if settings is not None:
        return await _in_container(asked, settings)
    if find_spec("freqtrade") is None:
        cure = f"freqfleet bot restart {asked.bot.name} takes the change as it is"
        return Refusal(f"there is no Freqtrade beside the supervisor to rehearse it with; {cure}")
    from automation.app.rehearsal import rehearse as rehearse_here  # noqa: PLC0415

    return await rehearse_here(asked)


def settled(asked: Rehearsal) -> dict[str, Any]:
    """Tell the settings to rehearse with: the bot's layers, the fleet file's over them, no secrets.

    Raises ConfigError for a layer that cannot be read.
    """
    merged = read_layers(asked.configs)
    merged = {name: value for name, value in merged.items() if name not in _LEFT_OUT}
    merged |= {name: value for name, value in asked.settings.items() if name not in _LEFT_OUT}
    exchange = merged.get("exchange", {})
    merged = dict(mask(merged))
    merged |= {"pairlists": [{"method": "StaticPairList"}], "dry_run": True}
    merged["exchange"] = {
        "name": exchange.get("name", "binance"),
        "pair_whitelist": list(PAIRS),
        "pair_blacklist": exchange.get("pair_blacklist", []),
        "key": "",
        "secret": "",
    }
    if not merged.get("dry_run_wallet"):
        merged["dry_run_wallet"] = asked.bot.capital_usdt
    return merged


def job_of(asked: Rehearsal, settings: Docker) -> "Job":
    """Tell the job of a rehearsal; it writes the market and verdicts that others use again."""
    from automation.fleet.containers.jobs import Job  # noqa: PLC0415  only where needed

    kept, limits = home() / "rehearsal", settings.jobs
    make_folder(kept)
    return Job(
        words=("rehearse", _ASKED),
        image=settings.image,
        readable=tuple(path.absolute() for path in (*settings.mounts, configs())),
        writable=(kept,),
        environment=environment(),
        python=settings.python,
        user=settings.user,
        memory_mb=limits.memory_mb,
        cpus=min(limits.cpus, CPUS),
        pids=limits.pids,
        limit_s=min(limits.timeout_h * 3600, LIMIT_S),
        furnish=lambda folder: _furnish(asked, folder),
        cure=f"freqfleet bot restart {asked.bot.name} takes the change unrehearsed",
    )


def read_asked(file: Path) -> Rehearsal:
    """Read what a container was handed; ValidationError for anything else."""
    bot = Bot.model_validate_json(file.read_bytes())
    folder = file.absolute().parent
    return Rehearsal(bot, folder / _STRATEGIES, (folder / _SETTINGS,), {})


def _furnish(asked: Rehearsal, folder: Path) -> None:
    shutil.copytree(asked.strategies, folder / _STRATEGIES)
    bot = asked.bot.model_dump(mode="json", include=_TOLD_OF_A_BOT)
    (folder / _ASKED).write_bytes(orjson.dumps(bot))
    (folder / _SETTINGS).write_bytes(orjson.dumps(settled(asked)))


async def _in_container(asked: Rehearsal, settings: Docker) -> Refusal | None:
    is_over = threading.Event()
    job = await asyncio.to_thread(job_of, asked, settings)
    running = asyncio.get_running_loop().run_in_executor(None, _run, job, settings, is_over)
    try:
        done = await asyncio.shield(running)
    finally:
        # However often we are cancelled: not before the container is gone.
        is_over.set()
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({running})
    return _verdict(done, settings)


def _run(job: "Job", settings: Docker, is_over: threading.Event) -> "Done":
    from automation.fleet.containers.engine import Engine  # noqa: PLC0415  only where needed
    from automation.fleet.containers.jobs import run_until  # noqa: PLC0415

    engine = Engine(settings.engine)
    try:
        return run_until(engine, job, home() / "jobs", is_over)
    finally:
        engine.close()


def _verdict(done: "Done", settings: Docker) -> Refusal | None:
    try:
        refusal = Verdict.model_validate_json(done.out).refusal
    except ValidationError:
        raise DependencyError(
            f"it gave no verdict ({_last_words(done.err)})",
            where=f"rehearsal in {settings.image}",
            cure="if the image is older than this supervisor, make it anew with make images",
        ) from None
    return None if refusal is None else Refusal(refusal[:LONGEST])


def _last_words(printed: bytes) -> str:
    lines = (line.strip(" │╭╮╰╯─") for line in printed.decode(errors="replace").splitlines())
    said = [line for line in lines if line]
    return said[-1].removeprefix("freqfleet: ")[:200] if said else "it said nothing"
