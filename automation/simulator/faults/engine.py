"""The faults of one exchange: armed, drawn, carried into the market, and written down.

Decides what a request or a message meets, from all faults that hold at its instant, in the order
in which they were armed. Every hit and every beginning and end goes to the record, without
anything that differs between two runs of the same seed and the same requests. Refuses to know
sockets: `server` carries out what `judge` decides, the streams' hub what `outgoing` does. Built by
`server`; the admin interface arms and lifts faults while it runs.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from automation.core.errors import ConfigError
from automation.simulator.faults import kinds
from automation.simulator.faults.rest_faults import Verdict, add
from automation.simulator.faults.shocks import Shock, ShockedMarket, Spike
from automation.simulator.faults.triggers import FOR_EVER_MS, Armed, Case, arm, matches
from automation.simulator.timeframes import MINUTE_MS

Note = Callable[[tuple[Any, ...]], None]
"""Takes down one entry: a tuple of plain values."""


class Book(Protocol):
    """What a thin book is made of: the tape's two factors."""

    depth_factor: float
    spread_factor: float


class Floor(Protocol):
    """What the faults do to the exchange that is no answer and no message."""

    def book(self, symbol: str) -> Book:
        """Find a symbol's modelled book."""
        ...

    def halt(self, symbol: str, *, is_halted: bool, is_final: bool) -> None:
        """Stop or resume a symbol's trading."""
        ...

    def renew(self) -> None:
        """Make anew whatever was kept of candles that are still to come."""
        ...

    def cut_streams(self) -> None:
        """End every websocket connection at once."""
        ...


@dataclass(slots=True)
class _Laid:
    """What a fault laid over the market."""

    armed: Armed
    shock: Shock | None = None
    spike: Spike | None = None


class Faults:
    """All faults of one exchange."""

    def __init__(
        self,
        scenario: kinds.Scenario,
        market: ShockedMarket,
        now_ms: Callable[[], int],
        floor: Floor,
        note: Note,
    ) -> None:
        """Arm the scenario's faults; `now_ms` tells the market's time."""
        self.seed = scenario.seed
        self.log: list[tuple[Any, ...]] = []
        self._market, self._now_ms, self._floor, self._note = market, now_ms, floor, note
        self._armed: list[Armed] = []
        self._laid: list[_Laid] = []
        for fault in scenario.faults:
            self._arm(fault, now_ms())

    @property
    def armed(self) -> tuple[Armed, ...]:
        """Every fault there was, in order."""
        return tuple(self._armed)

    def add(self, fault: kinds.Trigger) -> Armed:
        """Arm one more fault; ConfigError when its name is taken.

        What moves prices begins with the next minute, for the running one was shown already.
        """
        if fault.name and any(armed.name == fault.name for armed in self._armed):
            raise ConfigError(f"a fault is named {fault.name} already", cure="give it another name")
        now_ms = self._now_ms()
        if isinstance(fault, kinds.FlashCrash | kinds.PriceGap):
            now_ms = (now_ms // MINUTE_MS + 1) * MINUTE_MS
        armed = self._arm(fault, now_ms)
        if isinstance(fault, kinds.FlashCrash | kinds.PriceGap) and armed.begin_ms < now_ms:
            self.lift(armed.name)
            raise ConfigError("prices of the past cannot be changed", cure="name a later instant")
        self._tell(armed, "armed")
        self.settle()
        return armed

    def lift(self, name: str) -> None:
        """End a fault now; ConfigError if there is none of that name."""
        armed = next((each for each in self._armed if each.name == name), None)
        if armed is None:
            known = ", ".join(each.name for each in self._armed) or "none"
            raise ConfigError(f"there is no fault {name}", cure=f"there are {known}")
        if armed.is_lifted:
            return
        armed.is_lifted = True
        now_ms = (self._now_ms() // MINUTE_MS + 1) * MINUTE_MS
        for laid in self._laid:
            if laid.armed is armed and laid.shock is not None:
                self._market.remove(laid.shock, now_ms)
            if laid.armed is armed and laid.spike is not None:
                self._market.unspike(laid.spike, self._now_ms())
        self._floor.renew()
        self._tell(armed, "lifted")
        self.settle()

    def judge(self, case: Case) -> Verdict:
        """Tell what happens to a request; every hit is written down."""
        at_ms = self._now_ms()
        self.settle()
        verdict = Verdict()
        for armed in self._armed:
            fault = armed.fault
            if not isinstance(fault, kinds.RestFault) or not armed.holds(at_ms):
                continue
            if isinstance(fault, kinds.RevokedKey) and fault.account != case.account:
                continue
            if matches(fault.match, case) and armed.hits_now(at_ms):
                detail = add(verdict, armed)
                self._tell(
                    armed, "request", case.method, case.path, case.symbol, case.account, detail
                )
                if verdict.is_final:
                    break
        return verdict

    def next_edge_ms(self) -> int | None:
        """Tell when the next fault begins or ends by itself; None when none does."""
        at_ms = self._now_ms()
        edges = [edge for armed in self._armed for edge in (armed.begin_ms, armed.end_ms)]
        return min((edge for edge in edges if at_ms < edge < FOR_EVER_MS), default=None)

    @property
    def skew_ms(self) -> int:
        """How far server time is ahead of the market's."""
        at_ms = self._now_ms()
        return sum(
            armed.fault.offset_ms
            for armed in self._armed
            if isinstance(armed.fault, kinds.ClockSkew) and armed.holds(at_ms)
        )

    @property
    def is_closed(self) -> bool:
        """Whether nobody gets a websocket connection now."""
        at_ms = self._now_ms()
        return any(
            isinstance(armed.fault, kinds.Outage | kinds.Maintenance) and armed.holds(at_ms)
            for armed in self._armed
        )

    def outgoing(self, stream: str, account: str, connection: int) -> list[float] | None:
        """Tell with which delays (s) a message is sent, empty for a lost one; None to cut the client.

        One delay of 0 is a message as it should be.
        """
        at_ms = self._now_ms()
        name = "user" if account else stream
        case = Case(stream=name, account=account, symbol=stream.partition("@")[0].upper())
        delays = [0.0]
        for armed in self._armed:
            fault = armed.fault
            if not isinstance(fault, kinds.StreamFault) or not armed.holds(at_ms):
                continue
            if not matches(fault.match, case) or not armed.hits_now(at_ms):
                continue
            if isinstance(fault, kinds.StreamCut):
                self._tell(armed, "stream", name, connection, "cut")
                return None
            delays = _delayed(fault, armed, delays, at_ms)
            self._tell(armed, "stream", name, connection, armed.hits)
        return delays

    def settle(self) -> None:
        """Carry into the exchange what began or ended since the last time; write both down."""
        at_ms = self._now_ms()
        for armed in self._armed:
            is_on = armed.holds(at_ms)
            if is_on == armed.was_on:
                continue
            armed.was_on = is_on
            self._tell(armed, "began" if is_on else "ended")
            self._turn(armed.fault, is_on=is_on)

    def _arm(self, fault: kinds.Trigger, now_ms: int) -> Armed:
        armed = arm(fault, len(self._armed) + 1, self.seed, now_ms)
        self._armed.append(armed)
        symbols = frozenset(getattr(fault, "symbols", ()))
        if isinstance(fault, kinds.PriceFault):
            shock = Shock(symbols, _corners(fault, armed), fault.mark_share)
            self._market.add(shock)
            self._laid.append(_Laid(armed, shock=shock))
            self._floor.renew()
        elif isinstance(fault, kinds.FundingSpike):
            spike = Spike(symbols, armed.begin_ms, armed.end_ms, fault.rate_frac)
            self._market.spike(spike)
            self._laid.append(_Laid(armed, spike=spike))
        return armed

    def _turn(self, fault: kinds.Trigger, *, is_on: bool) -> None:
        if isinstance(fault, kinds.Outage | kinds.Maintenance) and is_on:
            self._floor.cut_streams()
        for symbol in self._symbols(fault):
            if isinstance(fault, kinds.ThinBook):
                book = self._floor.book(symbol)
                book.depth_factor = fault.depth if is_on else 1.0
                book.spread_factor = fault.spread if is_on else 1.0
            elif isinstance(fault, kinds.Halt | kinds.Delisting):
                is_final = isinstance(fault, kinds.Delisting)
                self._floor.halt(symbol, is_halted=is_on, is_final=is_final)

    def _symbols(self, fault: kinds.Trigger) -> Iterable[str]:
        if not isinstance(fault, kinds.MarketFault):
            return ()
        return fault.symbols or tuple(self._market.instruments)

    def _tell(self, armed: Armed, *what: Any) -> None:
        entry = ("fault", self._now_ms(), armed.name, *what)
        self.log.append(entry)
        self._note(entry)


def _delayed(
    fault: kinds.StreamFault, armed: Armed, delays: list[float], at_ms: int
) -> list[float]:
    if isinstance(fault, kinds.StreamDrop):
        return []
    if isinstance(fault, kinds.StreamDuplicate):
        return [*delays, *delays]
    by_s = fault.by if isinstance(fault, kinds.StreamReorder) else (armed.end_ms - at_ms) / 1000
    return [delay + by_s for delay in delays]


def _corners(fault: kinds.PriceFault, armed: Armed) -> tuple[tuple[int, float], ...]:
    begin_ms, moved = armed.begin_ms, 1 + fault.move_frac
    if isinstance(fault, kinds.PriceGap):
        corners = [(begin_ms, 1.0), (begin_ms, moved)]
        if fault.lasts is not None:
            corners += [(armed.end_ms, moved), (armed.end_ms, 1.0)]
        return tuple(corners)
    down_ms = begin_ms + round(fault.falls * 1000)
    back_ms = down_ms + round(fault.stays * 1000)
    over_ms = back_ms + round(fault.recovers * 1000)
    return ((begin_ms, 1.0), (down_ms, moved), (back_ms, moved), (over_ms, 1.0))
