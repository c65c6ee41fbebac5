"""Whether an account has lost too much: facts of the journal in, tripped guards out.

    drawdown        equity fell from its peak by the limit          until a person resumes
    daily loss      equity fell since the day began (UTC)           until the next day
    losing streak   so many trades closed at a loss in a row        for the pause
    targets         the last n trades miss a target                 for the pause

A trip stands until its end or until a person resumes; then that guard counts anew from there, so the
same loss never trips it twice: the drawdown from the equity of that moment, the day's loss likewise,
streak and targets from the next trade on. Pure and without clock: the same events give the same
account, before and after a restart of the supervisor. The three figures of a few trades are computed
here and not by `tradekit.metrics`, which would bring 80 MB of libraries into every supervisor; a test
holds them equal. Called by `guardian`.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

DAY_US = 86_400_000_000
YEAR_S = 365.0 * 86_400.0
TOLERANCE = 1e-9
"""Equity is told with eight decimals: a limit that is just reached must not be missed for one."""


class Guard(StrEnum):
    """What is watched."""

    DRAWDOWN = "drawdown"
    DAILY_LOSS = "daily loss"
    LOSING_STREAK = "losing streak"
    TARGETS = "targets"


@dataclass(frozen=True, slots=True)
class Limits:
    """What an account may lose; 0 and None mean that it is not watched."""

    drawdown_frac: float = 0.15
    daily_loss_frac: float = 0.0
    losing_streak: int = 0
    pause_s: float = 86_400.0
    trades: int = 0  # over which the targets are taken
    sharpe: float | None = None
    win_rate_frac: float | None = None
    profit_factor: float | None = None


@dataclass(frozen=True, slots=True)
class Trip:
    """A guard that stops entries."""

    guard: Guard
    at_us: int
    reason: str
    until_us: int | None  # None: until a person resumes

    @property
    def needs_person(self) -> bool:
        """Whether only a person ends it."""
        return self.until_us is None


@dataclass(frozen=True, slots=True)
class Worth:
    """Equity, as the journal tells it."""

    equity_usdt: float
    peak_usdt: float
    day_start_usdt: float


@dataclass(frozen=True, slots=True)
class Result:
    """A closed trade, as the journal tells it."""

    profit_usdt: float
    profit_frac: float
    closed_ms: int


@dataclass(frozen=True, slots=True)
class Account:
    """All that judging needs of the past."""

    equity_usdt: float = 0.0
    peak_usdt: float = 0.0
    is_rebased: bool = False  # the peak counts from a person's resumption
    day: int = -1  # of the daily loss, counted from 1970
    day_start_usdt: float = 0.0
    streak: int = 0
    results: tuple[Result, ...] = ()
    trips: tuple[Trip, ...] = field(default=())

    def trip(self, guard: Guard) -> Trip | None:
        """Find what a guard last said, whether it still stands or has run out."""
        return next((trip for trip in self.trips if trip.guard is guard), None)


def note_worth(account: Account, seen: Worth, at_us: int, limits: Limits) -> Account:
    """Take the equity of one moment."""
    account = _forget_ended(account, at_us)
    day = at_us // DAY_US
    if account.is_rebased and seen.peak_usdt >= account.peak_usdt - 1e-6:
        peak = max(account.peak_usdt, seen.equity_usdt)
    else:  # not rebased, or another account by now, whose peak is lower
        account, peak = replace(account, is_rebased=False), seen.peak_usdt
    start = account.day_start_usdt if account.day == day else seen.day_start_usdt
    account = replace(
        account, equity_usdt=seen.equity_usdt, peak_usdt=peak, day=day, day_start_usdt=start
    )
    return _judge_day(_judge_drawdown(account, at_us, limits), at_us, limits)


def note_trade(account: Account, result: Result, at_us: int, limits: Limits) -> Account:
    """Take a closed trade."""
    account = _forget_ended(account, at_us)
    streak = account.streak + 1 if result.profit_usdt < 0.0 else 0
    results = (*account.results, result)[-limits.trades :] if limits.trades else ()
    account = replace(account, streak=streak, results=results)
    return _judge_targets(_judge_streak(account, at_us, limits), at_us, limits)


def resume(account: Account, at_us: int) -> Account:
    """Take that a person lets it go on: what stands is forgiven, and counts anew."""
    account = _forget_ended(account, at_us)
    for trip in account.trips:
        account = _count_anew(account, trip.guard)
    return replace(account, trips=())


def standing(account: Account, now_us: int) -> tuple[Trip, ...]:
    """Tell which guards stop entries now."""
    return tuple(t for t in account.trips if t.until_us is None or now_us < t.until_us)


def readings(account: Account, limits: Limits) -> tuple[tuple[Guard, float, float], ...]:
    """Tell how far each watched guard is: the guard, its figure, its limit."""
    told: list[tuple[Guard, float, float]] = []
    if limits.drawdown_frac and account.peak_usdt > 0.0:
        told.append((Guard.DRAWDOWN, _fall(account, account.peak_usdt), limits.drawdown_frac))
    if limits.daily_loss_frac and account.day_start_usdt > 0.0:
        fall = _fall(account, account.day_start_usdt)
        told.append((Guard.DAILY_LOSS, fall, limits.daily_loss_frac))
    if limits.losing_streak:
        told.append((Guard.LOSING_STREAK, float(account.streak), float(limits.losing_streak)))
    return tuple(told)


def _forget_ended(account: Account, at_us: int) -> Account:
    """Let guards whose pause is over count anew."""
    for trip in account.trips:
        if trip.until_us is not None and at_us >= trip.until_us:
            account = _count_anew(account, trip.guard)
            account = replace(account, trips=tuple(t for t in account.trips if t is not trip))
    return account


def _count_anew(account: Account, guard: Guard) -> Account:
    if guard is Guard.DRAWDOWN:
        return replace(account, peak_usdt=account.equity_usdt, is_rebased=True)
    if guard is Guard.DAILY_LOSS:
        return replace(account, day_start_usdt=account.equity_usdt)
    if guard is Guard.LOSING_STREAK:
        return replace(account, streak=0)
    return replace(account, results=())


def _tripped(
    account: Account, guard: Guard, at_us: int, reason: str, until_us: int | None
) -> Account:
    if account.trip(guard) is not None:
        return account
    return replace(account, trips=(*account.trips, Trip(guard, at_us, reason, until_us)))


def _fall(account: Account, since_usdt: float) -> float:
    return 1.0 - account.equity_usdt / since_usdt if since_usdt > 0.0 else 0.0


def _judge_drawdown(account: Account, at_us: int, limits: Limits) -> Account:
    fall, limit = _fall(account, account.peak_usdt), limits.drawdown_frac
    if not limit or fall < limit - TOLERANCE:
        return account
    since = "since it was resumed" if account.is_rebased else "so far"
    reason = (
        f"equity of {account.equity_usdt:.2f} USDT is {fall:.1%} below its peak {since}, "
        f"the limit is {limit:.1%}"
    )
    return _tripped(account, Guard.DRAWDOWN, at_us, reason, None)


def _judge_day(account: Account, at_us: int, limits: Limits) -> Account:
    fall, limit = _fall(account, account.day_start_usdt), limits.daily_loss_frac
    if not limit or fall < limit - TOLERANCE:
        return account
    reason = f"equity fell by {fall:.1%} today, the limit is {limit:.1%}"
    return _tripped(account, Guard.DAILY_LOSS, at_us, reason, (account.day + 1) * DAY_US)


def _judge_streak(account: Account, at_us: int, limits: Limits) -> Account:
    if not limits.losing_streak or account.streak < limits.losing_streak:
        return account
    reason = f"{account.streak} trades in a row were lost, the limit is {limits.losing_streak}"
    return _tripped(account, Guard.LOSING_STREAK, at_us, reason, at_us + _us(limits.pause_s))


def _judge_targets(account: Account, at_us: int, limits: Limits) -> Account:
    if not limits.trades or len(account.results) < limits.trades:
        return account
    missed = " and ".join(_missed(account.results, limits))
    if not missed:
        return account
    reason = f"the last {limits.trades} trades miss their target: {missed}"
    return _tripped(account, Guard.TARGETS, at_us, reason, at_us + _us(limits.pause_s))


def _missed(results: tuple[Result, ...], limits: Limits) -> list[str]:
    profits = [result.profit_usdt for result in results]
    figures = (
        ("Sharpe ratio", _sharpe_of(results), limits.sharpe),
        ("win rate", sum(profit > 0.0 for profit in profits) / len(profits), limits.win_rate_frac),
        ("profit factor", profit_factor(profits), limits.profit_factor),
    )
    # A figure that does not exist (no trade differs) misses nothing.
    return [
        f"{name} {figure:.2f} instead of {target:.2f}"
        for name, figure, target in figures
        if target is not None and not math.isnan(figure) and figure < target
    ]


def _sharpe_of(results: tuple[Result, ...]) -> float:
    """Return the trades' Sharpe ratio, annual by as many trades a year as these came to."""
    span_s = (results[-1].closed_ms - results[0].closed_ms) / 1000.0
    if span_s <= 0.0:
        return math.nan
    per_year = (len(results) - 1) * YEAR_S / span_s
    return sharpe([result.profit_frac for result in results], per_year)


def sharpe(returns: Sequence[float], per_year: float) -> float:
    """Return mean over standard deviation (n − 1) of `returns`, × √`per_year`; NaN if none differ."""
    deviation = statistics.stdev(returns) if len(returns) > 1 else 0.0
    if deviation == 0.0:
        return math.nan
    return statistics.fmean(returns) / deviation * math.sqrt(per_year)


def profit_factor(profits: Sequence[float]) -> float:
    """Return the sum of gains over the sum of losses; infinite without losses, NaN without either."""
    gains = sum(profit for profit in profits if profit > 0.0)
    losses = -sum(profit for profit in profits if profit < 0.0)
    if losses == 0.0:
        return math.inf if gains > 0.0 else math.nan
    return gains / losses


def _us(seconds: float) -> int:
    return int(timedelta(seconds=seconds) / timedelta(microseconds=1))


def instant(us: int) -> datetime:
    """Tell an instant of the journal."""
    return datetime.fromtimestamp(us / 1e6, UTC)
