"""What goes wrong on purpose: a scenario of faults, each seeded, and written into the event log.

Decides which request, message or price is spoilt, when and how, from a scenario file or the
admin interface. Refuses to know how an exchange answers when nothing is wrong. Called by `server`.

`load_scenario(path)`, `parse_fault(raw)`   a `Scenario` of faults; ConfigErrors name all that is wrong
`Faults(scenario, ...)`                     decides; `.judge(request)` for REST, `.outgoing(...)` for streams
`ShockedMarket(market)`                     a market with crashes, gaps and funding spikes laid over it
"""

from automation.simulator.faults.engine import Faults
from automation.simulator.faults.kinds import Fault, Scenario
from automation.simulator.faults.scenario import load_scenario, parse_fault
from automation.simulator.faults.shocks import ShockedMarket

__all__ = ["Fault", "Faults", "Scenario", "ShockedMarket", "load_scenario", "parse_fault"]
