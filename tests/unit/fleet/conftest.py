"""A small checkout to render from."""

from pathlib import Path

import pytest

from automation.core.config import Fleet
from automation.fleet.home import Home
from automation.fleet.site import Site

STRATEGIES = ("FakeStrategy", "OtherStrategy")


@pytest.fixture
def checkout(tmp_path) -> Path:
    root = tmp_path / "root"
    (root / "configs").mkdir(parents=True)
    (root / "configs" / "base.json").write_text('{"timeframe": "5m"}')
    futures = '{"exchange": {"name": "binance", "pair_whitelist": ["BTC/USDT:USDT"]}}'
    (root / "configs" / "futures.json").write_text(futures)
    (root / "strategies").mkdir()
    source = "\n".join(f"class {name}(IStrategy):\n    pass" for name in STRATEGIES)
    (root / "strategies" / "Fakes.py").write_text(source)
    return root


@pytest.fixture
def site_of(checkout, tmp_path):
    """Make a site for the fleet that a mapping describes."""

    def make(**raw) -> Site:
        raw.setdefault("fleet", "test")
        raw.setdefault("exchange", {"venue": "binance"})
        raw.setdefault("bots", [{"name": "a", "strategy": "FakeStrategy"}])
        fleet = Fleet.model_validate(raw)
        return Site(fleet, Home(tmp_path / "home"), checkout, "/usr/bin/python3")

    return make
