"""Tells how a bot's equity stands against its peak and against the beginning of the day.

Equity is the capital that the bot began with plus its profit, open trades included, as Freqtrade's
`/balance` and `/profit` tell them. Peak and beginning of the day stand in the event itself, so a
new supervisor goes on where the last one stopped; another capital or fewer closed trades than
before mean another account, which begins anew. One account for one bot, or for all of them
together under an empty name; called by `lookout`.
"""

from dataclasses import dataclass, field
from datetime import datetime

from automation.fleet import sightings
from automation.fleet.chronicle import Chronicle
from automation.fleet.gauge import Gauge
from automation.journal import Event, Query

DRAWDOWN_BOUNDS = (0.12, 0.15)
DAY_BOUNDS = (-0.05, -0.04)
LOOK_BACK = 2000


@dataclass(frozen=True, slots=True)
class Worth:
    """What an account is worth, as it was last asked."""

    capital_usdt: float
    profit_usdt: float
    closed_trades: int

    @property
    def equity_usdt(self) -> float:
        """Capital and profit together."""
        return self.capital_usdt + self.profit_usdt


@dataclass(slots=True)
class Equity:
    """One account."""

    bot: str
    chronicle: Chronicle
    gap_s: float = 60.0
    drawdown_bounds: tuple[float, ...] = DRAWDOWN_BOUNDS  # told at once when crossed
    day_bounds: tuple[float, ...] = DAY_BOUNDS
    _last: sightings.EquityObserved | None = None
    _drawdown: Gauge = field(init=False)
    _day: Gauge = field(init=False)

    def __post_init__(self) -> None:
        """Begin where the journal stopped; DependencyError when it cannot be read."""
        self._drawdown = Gauge(0.005, self.drawdown_bounds, self.gap_s)
        self._day = Gauge(0.005, self.day_bounds, self.gap_s)
        self._last = self._recalled()

    def note(self, worth: Worth, now: datetime, now_s: float) -> None:
        """Take the account's worth and tell when it moved."""
        if worth.capital_usdt <= 0.0:
            return
        was, seen = self._last, self._seen(worth, now)
        self._last = seen
        is_new_day = was is not None and was.day != seen.day
        has_moved = self._drawdown.has_moved(seen.drawdown_frac, now_s)
        if has_moved or is_new_day or self._day.has_moved(seen.day_frac, now_s):
            self._drawdown.tell(seen.drawdown_frac, now_s)
            self._day.tell(seen.day_frac, now_s)
            self.chronicle.tell("equity.observed", seen, bot=self.bot)

    @property
    def is_behind(self) -> bool:
        """Whether something is still to be told of the worth as it was last noted."""
        last = self._last
        if last is None:
            return False
        day = self._day.is_behind(last.day_frac)
        return day or self._drawdown.is_behind(last.drawdown_frac)

    def _seen(self, worth: Worth, now: datetime) -> sightings.EquityObserved:
        last, equity, day = self._last, worth.equity_usdt, now.date().isoformat()
        if last is None or self._is_another(last, worth):
            peak, start = max(equity, worth.capital_usdt), equity
        else:
            peak = max(last.peak_usdt, equity)
            start = last.day_start_usdt if last.day == day else last.equity_usdt
        return sightings.EquityObserved(
            equity_usdt=round(equity, 8),
            peak_usdt=round(peak, 8),
            drawdown_frac=round(1.0 - equity / peak, 6),
            day=day,
            day_start_usdt=round(start, 8),
            day_frac=round(equity / start - 1.0, 6) if start > 0.0 else 0.0,
            capital_usdt=worth.capital_usdt,
            closed_trades=worth.closed_trades,
        )

    @staticmethod
    def _is_another(last: sightings.EquityObserved, worth: Worth) -> bool:
        return worth.capital_usdt != last.capital_usdt or worth.closed_trades < last.closed_trades

    def _recalled(self) -> sightings.EquityObserved | None:
        query = Query(kind="equity.observed", bot=self.bot)
        found = self.chronicle.journal.tail(1 if self.bot else LOOK_BACK, query)
        own = [event for event in found if event.bot == self.bot and not event.is_sealed]
        return _typed(own[-1]) if own else None


def together(worths: list[Worth]) -> Worth:
    """Add accounts up."""
    return Worth(
        sum(one.capital_usdt for one in worths),
        sum(one.profit_usdt for one in worths),
        sum(one.closed_trades for one in worths),
    )


def _typed(event: Event) -> sightings.EquityObserved | None:
    try:
        return sightings.EquityObserved.model_validate(event.payload)
    except ValueError:
        return None
