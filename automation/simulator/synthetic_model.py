"""A made-up market, day by day: the mathematics behind `synthetic`.

Decides how prices, volume and basis move. Refuses to know timeframes, symbols' rules and HTTP.

A day is a recursion, a minute is not. Per factor (the whole market, and each coin on its own) a
cheap recursion over days carries the level, the regime (trend up, trend down, range), the
volatility (log-AR(1): quiet and wild weeks cluster) and the basis. Inside a day the minutes are
drawn from a generator keyed by (seed, factor, day) and bridged to the day's return, so that any
window can be computed alone, in any order, and always comes out the same.
"""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from automation.simulator.candles import Floats
from automation.simulator.timeframes import Ints

MINUTES = 1440
_MARKET = 0  # the factor that moves all coins; coins are numbered from 1
_DAYS_AHEAD = 512  # days computed at a time
_PAGES_KEPT = 64

_VOL_PERSISTENCE, _VOL_OF_VOL = 0.94, 0.16
_REGIME_LASTS = 0.965  # a day's chance that the regime stays: about a month on average
_TREND = 0.28  # daily drift of a trend, in units of daily volatility
_RANGE_PULL = 0.10  # a day's pull back to where the range began
_LEVEL_PULL = 0.003  # a day's pull towards the coin's usual price
_JUMP_CHANCE, _JUMP_SIZE = 0.04, 1.8  # per day; in units of daily volatility
_SCALES_MIN = ((240, 0.35), (60, 0.30), (15, 0.25))  # bursts inside a day: minutes, log-size
_BASIS_LASTS, _BASIS_NOISE, _BASIS_TREND = 0.85, 0.00018, 0.006
_HOURLY_BASIS = 0.00006


@dataclass(frozen=True, slots=True)
class Coin:
    """One coin's character. `daily_vol` and `beta` as fractions, `turnover` in USDT a minute."""

    number: int
    usual_price: float
    daily_vol: float
    beta: float
    turnover: float


@dataclass(slots=True)
class Days:
    """The daily recursion of one factor: one entry per day since the epoch, grown on demand."""

    level: list[float]
    """Logarithm of the price (of the factor) at which the day opens."""
    move: list[float]
    """The day's whole return, jump included."""
    volatility: list[float]
    jump: list[float]
    basis: list[float]
    regime: int = 0
    anchor: float = 0.0
    log_vol: float = 0.0


@dataclass(frozen=True, slots=True)
class Minutes:
    """One coin's day: log price at the 1441 minute marks, and what goes with each minute."""

    log_price: Floats
    wick_up: Floats
    """How far above its ends the minute reached, as a fraction of the price."""
    wick_down: Floats
    turnover: Floats
    """USDT traded in the minute."""


def generator(seed: int, stream: int, day: int) -> np.random.Generator:
    """Random numbers that belong to one seed, stream and day."""
    key = np.array([seed & (2**64 - 1), stream], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, day]))


class Model:
    """Everything that a seed determines."""

    def __init__(self, seed: int) -> None:
        """Nothing is computed before it is asked for."""
        self._seed = seed
        self._days: dict[int, Days] = {}
        self._shared: OrderedDict[int, tuple[Floats, Floats]] = OrderedDict()

    def _factor(self, number: int, vol: float, usual: float, day: int) -> Days:
        """Daily recursion of a factor, computed at least to `day` + 1."""
        days = self._days.get(number)
        if days is None:
            days = self._days[number] = Days([usual], [], [], [], [0.0], anchor=usual)
        while len(days.move) <= day + 1:
            self._grow(days, number, vol, usual)
        return days

    def _grow(self, days: Days, number: int, vol: float, usual: float) -> None:
        start = len(days.move)
        draw = generator(self._seed, number * 8, start)
        normal = draw.standard_normal((_DAYS_AHEAD, 4))
        chance = draw.random((_DAYS_AHEAD, 3))
        for z, u in zip(normal.tolist(), chance.tolist(), strict=True):
            _advance(days, vol, usual, z, u)

    def market(self, day: int) -> Days:
        """Daily recursion of the whole market."""
        return self._factor(_MARKET, 0.025, 0.0, day)

    def coin(self, coin: Coin, day: int) -> Days:
        """Daily recursion of what a coin does on its own."""
        own_vol = coin.daily_vol * 0.5
        return self._factor(coin.number, own_vol, float(np.log(coin.usual_price)), day)

    def open_level(self, coin: Coin, day: int) -> float:
        """Logarithm of the price at which a day opens."""
        return self.coin(coin, day).level[day] + coin.beta * self.market(day).level[day]

    def minutes(self, coin: Coin, day: int) -> Minutes:
        """Compute one coin's day."""
        shared, bursts = self._market_minutes(day)
        own = self.coin(coin, day)
        draw = generator(self._seed, coin.number * 8 + 1, day)
        weights = bursts * _bursts(draw, 0.5)
        moves = _bridged(draw, own, day, weights) + coin.beta * shared
        path = np.concatenate(([0.0], np.cumsum(moves)))
        log_price: Floats = path + self.open_level(coin, day)
        log_price[-1] = self.open_level(coin, day + 1)
        per_minute = coin.daily_vol * weights / np.sqrt(np.mean(weights**2) * MINUTES)
        wicks = draw.standard_exponential((2, MINUTES)) * per_minute * 0.45
        surprise = np.abs(moves) / (coin.daily_vol / np.sqrt(MINUTES))
        noise = np.exp(0.5 * draw.standard_normal(MINUTES) - 0.125)
        turnover = coin.turnover * noise * (0.4 + 0.6 * weights) * (0.6 + 0.5 * surprise)
        return Minutes(log_price, wicks[0], wicks[1], turnover)

    def _market_minutes(self, day: int) -> tuple[Floats, Floats]:
        """The market's minute returns and how lively each minute is; kept for the coins."""
        found = self._shared.get(day)
        if found is None:
            draw = generator(self._seed, 1, day)
            bursts = _hours_of_day() * _bursts(draw, 1.0)
            found = self._shared[day] = (_bridged(draw, self.market(day), day, bursts), bursts)
            if len(self._shared) > _PAGES_KEPT:
                self._shared.popitem(last=False)
        return found

    def slow_basis(self, coin: Coin, day: Ints, of_day: Floats) -> Floats:
        """Basis over days: a straight line from midnight to midnight.

        `day` has at least one entry; the result has its shape.
        """
        first, stop = int(day.min()), int(day.max()) + 2
        own = self.coin(coin, stop).basis[first:stop]
        market = self.market(stop).basis[first:stop]
        level: Floats = np.array(own) + np.array(market)
        begin, end = level[day - first], level[day - first + 1]
        line: Floats = begin + (end - begin) * of_day
        return line

    def hourly_basis(self, coin: Coin, day: int) -> Floats:
        """What the basis adds at the 25 hours of a day; nothing at midnight."""
        noise = generator(self._seed, coin.number * 8 + 2, day).standard_normal(25)
        noise[0] = noise[-1] = 0.0
        scaled: Floats = noise * _HOURLY_BASIS
        return scaled


def _advance(days: Days, vol: float, usual: float, z: list[float], u: list[float]) -> None:
    """Carry a factor over one day with four normal and three uniform numbers."""
    if u[0] > _REGIME_LASTS:
        days.regime = (-1, 0, 0, 1)[int(u[1] * 4)]
        days.anchor = days.level[-1]
    days.log_vol = _VOL_PERSISTENCE * days.log_vol + _VOL_OF_VOL * z[0]
    today = vol * float(np.exp(np.clip(days.log_vol, -1.5, 1.5)))
    jump = _JUMP_SIZE * today * z[2] if u[2] < _JUMP_CHANCE else 0.0
    drift = _TREND * today * days.regime - _LEVEL_PULL * (days.level[-1] - usual)
    if days.regime == 0:
        drift -= _RANGE_PULL * (days.level[-1] - days.anchor)
    move = drift + today * z[1] + jump
    days.volatility.append(today)
    days.jump.append(jump)
    days.move.append(move)
    days.level.append(days.level[-1] + move)
    follow = _BASIS_TREND * float(np.clip(move, -0.1, 0.1))
    days.basis.append(_BASIS_LASTS * days.basis[-1] + follow + _BASIS_NOISE * z[3])


def _bridged(draw: np.random.Generator, days: Days, day: int, weights: Floats) -> Floats:
    """Minute returns that add up to the day's, with the jump in one minute."""
    share = weights**2 / np.sum(weights**2)
    noise = draw.standard_normal(MINUTES) * np.sqrt(share) * days.volatility[day]
    jump, at = days.jump[day], int(draw.integers(MINUTES))
    moves: Floats = noise - share * (noise.sum() - (days.move[day] - jump))
    moves[at] += jump
    return moves


def _bursts(draw: np.random.Generator, strength: float) -> Floats:
    """How lively each minute is: noise on three time scales, 1 on the whole."""
    total = np.zeros(MINUTES)
    for length, size in _SCALES_MIN:
        knots = draw.standard_normal(MINUTES // length + 1) * size * strength
        total += np.interp(np.arange(MINUTES), np.arange(len(knots)) * length, knots)
    lively: Floats = np.exp(total)
    return lively


def _hours_of_day() -> Floats:
    """Liveliness over the day in UTC: quiet at 5, busiest around 15."""
    hours = np.arange(MINUTES) / 60
    lively: Floats = 1 + 0.35 * np.cos((hours - 15) / 24 * 2 * np.pi)
    return lively
