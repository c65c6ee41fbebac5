"""How the fleet's simulator is started, and which market a restarted one goes on with.

With a replayed market, `at` is the instant that becomes now when the simulator starts; it shifts
the market by whole hours. A simulator that is started again must not jump back while bots hold
trades, so the shift is remembered; `forget` begins anew (a fleet that was taken down in order).
"""

from datetime import datetime, timedelta

from automation.core.clock import Clock
from automation.core.config import SimulatorSettings
from automation.core.model import SIMULATOR
from automation.core.seams import Launch
from automation.fleet.home import Home, make_private, read_json, write_json
from automation.fleet.render import Site, environment


def render_simulator(site: Site, port: int, clock: Clock) -> Launch:
    """Tell the command that starts the simulator on `port`."""
    settings = site.fleet.exchange.simulator
    folder = site.home.unit(SIMULATOR)
    make_private(folder)
    argv = [site.python, "-m", "automation", "simulate"]
    argv += ["--port", str(port), "--seed", str(settings.seed)]
    if settings.data is not None:
        argv += ["--data", str(site.root / settings.data.expanduser())]
    if settings.at is not None:
        argv += ["--at", _instant(site.home, settings, clock).isoformat()]
    mark = str(folder / "exchange.json")  # the configuration for clients outside the fleet
    argv += ["--write-config", mark]
    return Launch(
        unit=SIMULATOR,
        folder=folder,
        argv=tuple(argv),
        env=environment(site),
        cwd=site.root,
        console=folder / "logs" / "console.log",
        mark=mark,
    )


def forget(home: Home) -> None:
    """Let the next simulator begin its market anew."""
    (home.unit(SIMULATOR) / "market.json").unlink(missing_ok=True)


def _instant(home: Home, settings: SimulatorSettings, clock: Clock) -> datetime:
    """Tell the instant to start at, half an hour off the edge so that the shift comes out equal."""
    assert settings.at is not None
    path = home.unit(SIMULATOR) / "market.json"
    written = read_json(path)
    now = clock.now()
    if written.get("at") == settings.at.isoformat():
        shift_h = int(written["shift_h"])
    else:
        shift_h = (now - settings.at) // timedelta(hours=1)
        write_json(path, {"at": settings.at.isoformat(), "shift_h": shift_h})
    return now - timedelta(hours=shift_h, minutes=30)
