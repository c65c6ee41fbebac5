"""Where things are: the checkout, the state folder, the strategy pack.

`FREQFLEET_ROOT` moves the root (an installed package beside a mounted pack), `FREQFLEET_HOME` the
state folder, so that two fleets can live on one machine.
"""

import os
from pathlib import Path


def root() -> Path:
    """Tell the folder that holds strategies/, hyperopts/, configs/ and user_data/."""
    return Path(os.environ.get("FREQFLEET_ROOT", Path(__file__).parents[2])).resolve()


def home() -> Path:
    """Tell the state folder of the fleet; it need not exist."""
    return Path(os.environ.get("FREQFLEET_HOME", root() / "user_data" / "freqfleet")).resolve()


def strategies() -> Path:
    """Tell the pack's strategies; their parent import path as well."""
    return root() / "strategies"


def configs() -> Path:
    """Tell the pack's Freqtrade configurations."""
    return root() / "configs"
