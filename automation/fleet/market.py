"""How the fleet's simulator is started, and which market a restarted one goes on with.

With a replayed market, `at` is the instant that becomes now when the simulator starts; it shifts
the market by whole hours. A simulator that is started again must not jump back while bots hold
trades, so the shift is remembered, and so is the port that live bots speak to; `forget` begins anew (a fleet that was taken down in order).
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from automation.core.clock import Clock
from automation.core.config import SimulatorSettings
from automation.core.errors import DependencyError, TransientError
from automation.core.model import SIMULATOR
from automation.core.seams import Launch
from automation.core.secrets import resolve
from automation.fleet import fastforward
from automation.fleet.home import Home, make_private, read_json, write_json
from automation.fleet.ports import find_free, is_free, owner_of
from automation.fleet.process import living
from automation.fleet.site import Site, environment


def render_simulator(site: Site, port: int, clock: Clock) -> Launch:
    """Tell the command that starts the simulator on `port`."""
    settings = site.fleet.exchange.simulator
    folder = site.home.unit(SIMULATOR)
    make_private(folder)
    client_config(site.home).unlink(missing_ok=True)  # of a simulator that is gone
    argv = [site.python, "-m", "automation", "simulate"]
    argv += ["--port", str(port), "--seed", str(settings.seed)]
    if settings.data is not None:
        argv += ["--data", str(site.root / settings.data.expanduser())]
    if settings.at is not None:
        argv += ["--at", _begin(site, settings, clock).isoformat()]
    if settings.scenario is not None:
        argv += ["--scenario", str(site.root / settings.scenario.expanduser())]
    if site.fleet.exchange.accounts:
        _write_accounts(site, folder / "accounts.json")
        log = folder / f"events-{clock.now():%Y%m%dT%H%M%S%f}.jsonl"
        argv += ["--accounts", str(folder / "accounts.json"), "--log", str(log)]
        argv += ["--tls-port", str(_tls_port(site, port))]
    mark = str(client_config(site.home))
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


def client_config(home: Home) -> Path:
    """Tell where the simulator writes how Freqtrade reaches it."""
    return home.unit(SIMULATOR) / "exchange.json"


def read_exchange_section(home: Home) -> dict[str, Any]:
    """Read Freqtrade's `exchange` section as the running simulator wrote it.

    Raises TransientError while there is none.
    """
    section = read_json(client_config(home)).get("exchange")
    if not isinstance(section, dict):
        raise TransientError("the simulator has not written how it is reached yet")
    return section


def forget(home: Home) -> None:
    """Let the next simulator begin its market anew."""
    for name in ("market.json", "tls.json"):
        (home.unit(SIMULATOR) / name).unlink(missing_ok=True)
    fastforward.forget(home)


def _tls_port(site: Site, port: int) -> int:
    """Tell the port that live bots speak to; a simulator that is started again keeps it.

    DependencyError when it is taken while bots live that have it rendered.
    """
    path = site.home.unit(SIMULATOR) / "tls.json"
    kept = read_json(path).get("port")
    if isinstance(kept, int) and kept not in (port, *site.ports):
        if is_free(kept):
            return kept
        if any(living(site.home.unit(bot.name)) for bot in site.fleet.bots):
            raise DependencyError(
                f"port {kept}, where its bots reach it, is taken by {owner_of(kept)}",
                cure="end that, or take the fleet down and up again",
            )
    made = find_free(frozenset({port, *site.ports}))
    write_json(path, {"port": made})
    return made


def _write_accounts(site: Site, path: Path) -> None:
    """Write the fleet's accounts with their secrets: the simulator opens them with their capital."""
    document = {}
    for name, account in site.fleet.exchange.accounts.items():
        keys = {
            "key": account.key,
            "secret": account.secret,
            "read_key": account.read_key,
            "read_secret": account.read_secret,
        }
        document[name] = {"deposit_usdt": account.capital_usdt} | {
            field: resolve(reference, where=f"exchange.accounts.{name}.{field}").reveal()
            for field, reference in keys.items()
            if reference is not None
        }
    write_json(path, document)


def _begin(site: Site, settings: SimulatorSettings, clock: Clock) -> datetime:
    if site.fast is None:
        return _instant(site.home, settings, clock)
    # In the market's own time the present is the present; a minute back, so as not to be ahead.
    return datetime.fromtimestamp(site.fast.market_now_s() - 60, UTC)


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
