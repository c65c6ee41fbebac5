"""`freqfleet rehearse`: what a supervisor without Freqtrade runs in a container; listed nowhere."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from automation.cli.output import print_json


def rehearse(file: Annotated[Path, typer.Argument(help="What the supervisor wrote.")]) -> None:
    """Try what a bot shall run, and print the verdict as one JSON document.

    Example: [bold]freqfleet rehearse asked.json[/bold]
    """
    from automation.app.rehearsal import answer
    from automation.app.rehearsal_job import Verdict

    refusal = asyncio.run(answer(file))
    print_json(Verdict(refusal=None if refusal is None else refusal.reason).model_dump())
