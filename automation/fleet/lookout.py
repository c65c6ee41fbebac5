"""Looks beyond the health of single bots: positions, equity, the exchange, the host's disk.

Decides how often; what is news, the parts decide. Nothing here holds up supervision: a part that
fails says so in the log and looks again later. Built and run by the supervisor.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import structlog

from automation.core.clock import Clock
from automation.core.config import Mode
from automation.core.errors import DependencyError
from automation.core.model import Wish
from automation.fleet import sightings
from automation.fleet.chronicle import Chronicle
from automation.fleet.discrepancies import Discrepancies
from automation.fleet.equity import DAY_BOUNDS, DRAWDOWN_BOUNDS, Equity, Worth, together
from automation.fleet.exchange import ExchangeWatch
from automation.fleet.gauge import Gauge
from automation.fleet.guards.limits import limits_of
from automation.fleet.home import Home
from automation.fleet.ladder.account import lacks_stop
from automation.fleet.orders import Orders
from automation.fleet.positions import Positions
from automation.fleet.probe import BotProbe
from automation.fleet.timing import Timing
from automation.fleet.unit import Unit
from automation.fleet.witness import Witness

DISK_BOUNDS = (0.1, 0.15)


@dataclass(slots=True)
class Lookout:
    """What is told of the fleet's surroundings and fortunes."""

    units: dict[str, Unit]
    chronicle: Chronicle
    clock: Clock
    home: Home
    timing: Timing
    exchange: ExchangeWatch
    witness: Witness
    _positions: dict[str, Positions] = field(default_factory=dict)
    _orders: dict[str, Orders] = field(default_factory=dict)
    _discrepancies: dict[str, Discrepancies] = field(default_factory=dict)
    _accounts: dict[str, Equity] = field(default_factory=dict)
    _worths: dict[str, Worth] = field(default_factory=dict)
    _disk: Gauge = field(init=False)
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start with nothing told."""
        self._disk = Gauge(0.02, DISK_BOUNDS, self.timing.gauge_s)

    async def __aenter__(self) -> Self:
        """Begin to look."""
        looks = (
            (self.exchange.look, self.timing.exchange_s),
            (self.witness.look, self.timing.exchange_s),
            (self.look_at_host, 60.0),
        )
        self._tasks = [asyncio.create_task(_again(look, every_s)) for look, every_s in looks]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Look no longer."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def note(self, unit: Unit) -> None:
        """Tell what moved, as of the last look at one bot."""
        probe = unit.probe
        if not isinstance(probe, BotProbe) or probe.facts.looped_epoch_s is None:
            return
        try:
            await self._note(unit, probe)
        except (DependencyError, KeyError, TypeError, ValueError) as error:
            log = structlog.get_logger("fleet")
            log.warning("positions not journaled", bot=unit.name, error=str(error))

    async def look_at_host(self) -> None:
        """Tell how full the disk is that holds the state folder."""
        usage = await asyncio.to_thread(shutil.disk_usage, self.home.path)
        frac, now_s = round(usage.free / usage.total, 4), self.clock.monotonic()
        if self._disk.has_moved(frac, now_s):
            self._disk.tell(frac, now_s)
            facts = sightings.HostObserved(
                disk_free_frac=frac, disk_free_gb=round(usage.free / 1e9, 3)
            )
            self.chronicle.tell("host.observed", facts)

    async def _note(self, unit: Unit, probe: BotProbe) -> None:
        now_s, gap_s = self.clock.monotonic(), self.timing.gauge_s
        positions = self._positions.setdefault(
            unit.name, Positions(unit.name, self.chronicle, gap_s)
        )
        positions.note(probe.trades.opened, self.exchange.rates, now_s)
        timing = self.timing
        orders = self._orders.setdefault(
            unit.name,
            Orders(unit.name, self.chronicle, timing.stop_grace_s, timing.stuck_after_s),
        )
        epoch_s = self.clock.now().timestamp()
        on_exchange = probe.stops_on_exchange
        lacking = lacks_stop(probe.vitals, now_s, timing.limits)
        orders.note(probe.trades.opened, now_s, epoch_s, on_exchange=on_exchange, lacking=lacking)
        differing = self._discrepancies.setdefault(
            unit.name, Discrepancies(unit.name, self.chronicle, timing.differs_after_s)
        )
        differing.note(probe.held)
        await self._note_worth(unit, probe, now_s)

    async def _note_worth(self, unit: Unit, probe: BotProbe, now_s: float) -> None:
        capital_usdt, facts = probe.capital_usdt, probe.facts
        if capital_usdt is None:
            return
        worth = Worth(capital_usdt, facts.profit_usdt, facts.closed_trades)
        accounts = [self._accounts[name] for name in (unit.name, "") if name in self._accounts]
        is_same = self._worths.get(unit.name) == worth and unit.name in self._accounts
        if is_same and not any(account.is_behind for account in accounts):
            return
        self._worths[unit.name] = worth
        account = await self._account(unit.name)
        account.note(worth, self.clock.now(), now_s)
        await self._note_all(now_s)

    async def _note_all(self, now_s: float) -> None:
        counted = self._counted()
        worths = [self._worths[name] for name in counted if name in self._worths]
        if len(counted) > 1 and len(worths) == len(counted):
            account = await self._account("")
            account.note(together(worths), self.clock.now(), now_s)

    def _counted(self) -> list[str]:
        """Name the bots whose equity makes the fleet's: real money alone, where there is any."""
        bots = [
            unit.bot
            for unit in self.units.values()
            if unit.bot is not None and unit.wish is not Wish.STOP
        ]
        live = [bot.name for bot in bots if bot.mode is Mode.LIVE]
        return live or [bot.name for bot in bots]

    async def _account(self, bot: str) -> Equity:
        account = self._accounts.get(bot)
        if account is None:
            bounds = self._bounds(bot)
            account = await asyncio.to_thread(
                Equity, bot, self.chronicle, self.timing.gauge_s, *bounds
            )
            self._accounts[bot] = account
        return account

    def _bounds(self, bot: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Tell which figures of an account must be told soon: those that a guard waits for too."""
        unit = self.units.get(bot)
        if unit is None or unit.bot is None:
            return DRAWDOWN_BOUNDS, DAY_BOUNDS
        limits = limits_of(unit.bot)
        return (*DRAWDOWN_BOUNDS, limits.drawdown_frac), (*DAY_BOUNDS, -limits.daily_loss_frac)


async def _again(look: Callable[[], Awaitable[None]], every_s: float) -> None:
    while True:
        try:
            await look()
        except OSError as error:
            structlog.get_logger("fleet").warning("could not look", error=str(error))
        await asyncio.sleep(every_s)
