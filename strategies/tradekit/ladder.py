"""The drawdown ladder: what an account that loses may still do. Pure functions of numbers.

Rungs: FULL, REDUCED (half the risk, from half the limit on), CLOSED (no entries, from three
quarters on), FLAT (everything is closed, at the limit). FLAT holds until it is re-armed; the lower
rungs follow the equity. A second, daily limit does the same within one UTC day, without REDUCED.
The state is a tuple of seven numbers, so that numba can compile `step` unchanged; nobody else
changes it. `stored` and `restored` carry it over a restart. Called by `PackStrategy` at every loop.
"""

import math

FULL, REDUCED, CLOSED, FLAT = 0.0, 1.0, 2.0, 3.0
REDUCED_AT, CLOSED_AT = 0.5, 0.75  # parts of the limit
REDUCED_SCALE = 0.5
DAY_S = 86_400.0
BACKTEST_REARM_S = 7 * DAY_S

REARM_FILE = "drawdown_rearm"
"""In a bot's user_data folder: touched by a person who resumes the bot, newer than the halt."""

State = tuple[float, float, float, float, float, float, float]
"""Peak equity; rung; second since which entries are closed (∞: they are not); number of the UTC
day; equity at its start; rung of the day; times re-armed."""

START: State = (0.0, FULL, math.inf, -1.0, 0.0, FULL, 0.0)


def step(  # noqa: PLR0917
    state: State,
    now_s: float,
    equity: float,
    limit_frac: float,
    daily_frac: float,
    rearm_after_s: float,
) -> State:
    """Return the state after the account was seen to be worth `equity` at `now_s`.

    `equity` counts open trades at their mark. Closed for `rearm_after_s` (infinite: never by
    itself), the ladder begins anew from the present equity. An unknown equity closes entries until
    it is known again; a lost account is FLAT.
    """
    peak, rung, since_s, day, day_equity, day_rung, rearms = state
    if not (equity > 0.0 and equity < math.inf):
        unknown = FLAT if equity <= 0.0 else max(rung, CLOSED)
        return (peak, unknown, min(since_s, now_s), day, day_equity, day_rung, rearms)
    if math.floor(now_s / DAY_S) != day:
        day, day_equity, day_rung = float(math.floor(now_s / DAY_S)), equity, FULL
    if now_s - since_s >= rearm_after_s:
        peak, rung, since_s, rearms = equity, FULL, math.inf, rearms + 1.0
    peak = max(peak, equity)
    loss = 1.0 - equity / peak
    if rung != FLAT:
        rung = FULL
        if loss >= limit_frac:
            rung = FLAT
        elif loss >= CLOSED_AT * limit_frac:
            rung = CLOSED
        elif loss >= REDUCED_AT * limit_frac:
            rung = REDUCED
    since_s = min(since_s, now_s) if rung >= CLOSED else math.inf
    day_loss = 1.0 - equity / day_equity
    if day_rung != FLAT:
        day_rung = CLOSED if day_loss >= CLOSED_AT * daily_frac else FULL
        day_rung = FLAT if day_loss >= daily_frac else day_rung
    return (peak, rung, since_s, day, day_equity, day_rung, rearms)


def rearmed(state: State, equity: float) -> State:
    """Return the state after a person has resumed the bot: the ladder begins anew from `equity`.

    The daily limit stays as it is. Without a known equity nothing changes.
    """
    if not (equity > 0.0 and equity < math.inf):
        return state
    return (equity, FULL, math.inf, state[3], state[4], state[5], state[6] + 1.0)


def worst_rung(state: State) -> float:
    """Return the higher of the account's and the day's rung."""
    return max(state[1], state[5])


def rung_scale(rung: float) -> float:
    """Return how much of the risk a rung leaves to new entries; 0 where it is not known."""
    if rung == FULL:
        return 1.0
    return REDUCED_SCALE if rung == REDUCED else 0.0


def stored(state: State) -> dict[str, float | None]:
    """Return the state by name as a bot keeps it, in JSON's numbers."""
    known = (None if math.isinf(number) else number for number in state)
    return dict(zip(_NAMES, known, strict=True))


def restored(kept: object, now_s: float) -> State:
    """Return the state that `stored` gave; entries are closed from `now_s` on if it cannot be read."""
    if isinstance(kept, dict) and set(kept) == set(_NAMES):
        numbers = [math.inf if kept[name] is None else kept[name] for name in _NAMES]
        if all(isinstance(n, (int, float)) and n == n for n in numbers):  # noqa: PLR0124  not NaN
            peak, rung, since_s, day, day_equity, day_rung, rearms = map(float, numbers)
            return (peak, rung, since_s, day, day_equity, day_rung, rearms)
    return (0.0, FLAT, now_s, -1.0, 0.0, FULL, 0.0)


_NAMES = ("peak", "rung", "closed_since_s", "day", "day_equity", "day_rung", "rearms")
