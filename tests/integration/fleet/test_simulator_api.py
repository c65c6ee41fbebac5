"""A simulator that fails on purpose is alive; one that is gone is not."""

import json

import pytest

from automation.core.errors import TransientError
from automation.fleet.botapi import SimulatorApi, close_session, open_session
from automation.simulator import Simulator, open_market
from automation.simulator.faults.scenario import load_scenario


@pytest.mark.parametrize(
    "fault", [{"kind": "outage"}, {"kind": "error", "status": 418, "code": -1003}, {"kind": "hang"}]
)
async def test_what_a_scenario_does_to_the_exchange_is_no_death(fault, tmp_path):
    market, path = open_market(1), tmp_path / "scenario.json"
    path.write_text(json.dumps({"seed": 1, "faults": [{"name": "all", **fault}]}))
    session = open_session()
    try:
        async with Simulator(market, scenario=load_scenario(path)) as simulator:
            api = SimulatorApi(session, simulator.url, timeout_s=0.5)
            await api.ping()
        with pytest.raises(TransientError, match="ping failed"):
            await api.ping()
    finally:
        await close_session(session)
