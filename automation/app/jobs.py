"""Which commands run as containers of the bot image, and with what: the seam before the command line.

Where no Freqtrade is installed beside the supervisor (the sidecar's image), whatever needs it, or
what comes with it, runs in the image that the fleet's bots run in, as a container of its own.
FREQFLEET_JOBS=docker asks for that anywhere, FREQFLEET_JOBS=here forbids it. The words that were
typed are handed on as they are; files and folders among them are mounted where they are. What the
command tells the journal is taken down here, for the container does not see the state folder.
Called by `__main__` before anything else; `rehearsal_job` asks where jobs are contained.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from automation.core.errors import ConfigError
from automation.core.paths import configs, home, root, strategies

if TYPE_CHECKING:
    from automation.core.config import Docker
    from automation.fleet.containers.jobs import Job

COMMANDS = (("backtest",), ("tune", "run"), ("gate", "run"), ("train", "regime"))
CHOICE = "FREQFLEET_JOBS"
_CHOICES = frozenset({"", "here", "docker"})
_WRITTEN_FOLDERS = frozenset({"--results", "--cache", "--report"})
_WRITTEN_FILES = frozenset({"--output", "-o", "--summary"})
_NOT_JUDGED = frozenset({"user_data", "deploy", ".git", ".venv"})
"""What of the folder that a gate judges no job sees: state, secrets, history, fleet files."""

_SQLITE = "sqlite:///"


def run_contained(words: Sequence[str]) -> int | None:
    """Run a command in a container and give its exit code; None when it is to run here.

    Raises ConfigError for what cannot be run in one, DependencyError when Docker does not let it.
    """
    settings = _settings(words)
    if settings is None:
        return None
    from automation.fleet.containers.engine import Engine  # noqa: PLC0415  only where needed
    from automation.fleet.containers.jobs import run  # noqa: PLC0415

    job = job_of(words, settings)
    engine = Engine(settings.engine)
    try:
        done = run(engine, job, home() / "jobs", sys.stdout.buffer, sys.stderr.buffer)
    finally:
        engine.close()
    _remember(done.told)
    return done.code


def job_of(words: Sequence[str], settings: "Docker") -> "Job":
    """Tell the job of a command line: what it reads, where it writes, what it may use."""
    from automation.fleet.containers.jobs import Job  # noqa: PLC0415

    results = tuple(dict.fromkeys(_results(words)))
    for folder in results:
        make_folder(folder)
    limits = settings.jobs
    written = {*results, *_written_files(words)}  # mounted by itself a file cannot be replaced
    return Job(
        words=tuple(words),
        image=settings.image,
        cwd=Path.cwd(),
        readable=tuple(path for path in _readable(words, settings) if path not in written),
        writable=results,
        environment=environment(),
        python=settings.python,
        user=settings.user,
        memory_mb=limits.memory_mb,
        cpus=min(limits.cpus, float(os.cpu_count() or 1)),
        pids=limits.pids,
        limit_s=limits.timeout_h * 3600,
    )


def _settings(words: Sequence[str]) -> "Docker | None":
    """Tell how the command is contained; None when it runs here."""
    if not any(tuple(words[: len(one)]) == one for one in COMMANDS) or {"-h", "--help"} & {*words}:
        return None
    return contained()


def contained() -> "Docker | None":
    """Tell how what needs Freqtrade is contained on this machine; None when it runs here, or nowhere.

    Raises ConfigError where that is not clear.
    """
    choice = os.environ.get(CHOICE, "")
    if choice not in _CHOICES:
        cure = "write docker or here, or leave it out"
        raise ConfigError(f"{choice!r} is no place for jobs", where=CHOICE, cure=cure)
    if choice == "here" or (not choice and find_spec("freqtrade") is not None):
        return None
    # Only now: every command passes here, and most need nothing of it.
    from pydantic import ValidationError  # noqa: PLC0415

    from automation.core.config import Docker  # noqa: PLC0415
    from automation.fleet.home import read_json  # noqa: PLC0415

    flown = read_json(home() / "fleet.json").get("docker")
    if flown is None and not choice:
        return None
    try:
        return Docker.model_validate(flown or {})
    except ValidationError as error:
        raise ConfigError(f"cannot be used: {error}", where=str(home() / "fleet.json")) from None


def _readable(words: Sequence[str], settings: "Docker") -> Iterator[Path]:
    yield from (path.absolute() for path in settings.mounts)
    yield from (path for path in (strategies(), configs(), root() / "hyperopts") if path.exists())
    if words[0] == "gate":
        yield from (path for path in Path.cwd().iterdir() if path.name not in _NOT_JUDGED)
    for word in words:
        named = Path(word.partition("=")[2] if word.startswith("--") else word).expanduser()
        if named.parts and named.exists():
            yield named.absolute()


def _results(words: Sequence[str]) -> Iterator[Path]:
    """Name the folders that a command writes its results to."""
    named, files = list(_options(words)), list(_written_files(words))
    yield from (file.parent for file in files)
    for name, value in named:
        if name in _WRITTEN_FOLDERS:
            yield Path(value).expanduser().absolute()
        elif name == "--storage" and value.startswith(_SQLITE):
            yield Path(value.removeprefix(_SQLITE)).absolute().parent
        elif name == "--storage" and "://" in value:
            raise ConfigError(
                "a job in a container has no network and reaches no database",
                where="--storage",
                cure=f"leave it out, or set {CHOICE}=here where Freqtrade is installed",
            )
    if words[0] == "backtest":
        if "--results" not in dict(named):
            yield root() / "user_data" / "backtest_results"
    elif words[0] == "train":
        if not files:
            yield root() / "user_data" / "models"
    else:
        yield home() / {"tune": "tuning"}.get(words[0], words[0])


def _written_files(words: Sequence[str]) -> Iterator[Path]:
    for name, value in _options(words):
        if name in _WRITTEN_FILES:
            yield Path(value).expanduser().absolute()


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    for word, following in zip(words, (*words[1:], ""), strict=True):
        name, is_whole, value = word.partition("=")
        if word.startswith("-"):
            yield (name, value) if is_whole else (word, following)


def make_folder(folder: Path) -> None:
    """Make a folder that a job writes to; ConfigError where that is not allowed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot be made: {error.strerror}", where=str(folder)) from None


def environment() -> dict[str, str]:
    """Make the environment of a job: where things are, and nothing else of ours."""
    kept = {name: os.environ[name] for name in ("NO_COLOR", "COLUMNS") if name in os.environ}
    return {**kept, "FREQFLEET_ROOT": str(root()), "FREQFLEET_HOME": str(home()), CHOICE: "here"}


def _remember(told: Sequence[str]) -> None:
    """Append to the journal what the command would have; nothing else is taken from a container."""
    if not told:
        return
    from automation.app.outcomes import take_down  # noqa: PLC0415  it opens the journal

    for line in told:
        take_down(line)
