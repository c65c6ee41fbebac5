"""Runs the alerts in a process of its own, to be killed: JOURNAL SETTINGS_JSON.

FREQFLEET_WITHOUT names a guard that is taken away, see without.py.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

import automation.fleet.kinds  # noqa: F401  the events of the fleet
from automation.alerts.channels.building import build_channels
from automation.alerts.channels.http import new_client
from automation.alerts.service import AlertService
from automation.alerts.settings import Settings
from automation.journal import Journal


async def main(settings: Settings) -> None:
    with Journal.open(sys.argv[1]) as journal:
        async with new_client() as client:
            await AlertService(journal, settings, build_channels(settings, client)).run()


if __name__ == "__main__":
    if os.environ.get("FREQFLEET_WITHOUT"):
        import without  # noqa: F401  stands beside this file
    asyncio.run(main(Settings.model_validate(json.loads(Path(sys.argv[2]).read_text()))))
