"""How commands print: JSON documents, tables, progress. Answers go to stdout, all else to stderr."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import orjson
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from automation.core.backtests import Progress as ProgressCallback
from automation.core.clock import parse_instant
from automation.core.errors import ConfigError

out = Console()
err = Console(stderr=True, highlight=False)


def print_json(document: Any) -> None:
    """Print one JSON document and nothing else."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY
    sys.stdout.write(orjson.dumps(document, option=options, default=str).decode() + "\n")


def instant(text: str | None, option: str) -> datetime | None:
    """Read an instant that was typed; ConfigError names the option."""
    try:
        return None if text is None else parse_instant(text)
    except ValueError as error:
        raise ConfigError(str(error), where=option) from None


def note(sentence: str) -> None:
    """Tell the user something beside the answer."""
    err.print(f"[yellow]note[/yellow] {sentence}", soft_wrap=True)


@contextmanager
def stages(names: tuple[str, ...]) -> Iterator[ProgressCallback]:
    """Show one line for each name with the stage it reached; plain lines where no one watches."""
    if not err.is_terminal:
        yield lambda name, stage: err.print(f"{name}: {stage}", soft_wrap=True)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        tasks = {name: progress.add_task(f"{name}: waiting", total=None) for name in names}

        def tell(name: str, stage: str) -> None:
            progress.update(tasks[name], description=f"{name}: {stage}")

        yield tell
