"""The signed half of the REST interface: keys, limits, parameters and JSON around `trading`.

Decides how a request becomes a command and how the answer looks. Refuses to know matching and
money. Called by `rest`; `Desk` is the door.
"""

from automation.simulator.signed.desk import Desk, Trading
from automation.simulator.signed.limits import Limits

__all__ = ["Desk", "Limits", "Trading"]
