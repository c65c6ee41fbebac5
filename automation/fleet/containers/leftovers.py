"""What a supervisor that is gone left in containers, as its state folder tells.

Called where there is no fleet file to ask: commands, and bots that the file no longer names.
"""

from pathlib import Path

from automation.core.seams import Container
from automation.fleet.home import read_json


def left_in(folder: Path) -> Container | None:
    """Tell that a unit was started as a container and not stopped in order; None when not.

    The container is enough to be found and stopped, not to be started.
    """
    is_contained = bool(read_json(folder / "process.json").get("container"))
    return Container(image="") if is_contained else None
