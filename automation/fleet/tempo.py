"""How a fast market's time runs against the real one, and when it has to run slower.

Pure. A `Tempo` is a straight line through one pair of instants; a change of speed is another line
through the pair at which it changes, so the market never jumps. The `Governor` judges by lag in
market time: a bot that loops late sees candles late, and a replay in which bots react later than
they would is no evidence. So are requests that the exchange takes longer to answer
than a signature is good for. It begins slowly and feels its way up, as TCP does: by large steps
below the speed that was last too much, by small ones from there on. Refuses to know processes.
Called by `fastforward`.
"""

from dataclasses import dataclass, field

SPEED_MOST = 100.0
"""Beyond it Freqtrade's loop of 5 s would have less than 50 ms of real time."""


@dataclass(frozen=True, slots=True)
class Tempo:
    """Real and market time (epoch, s) at one moment, and the speed from there on."""

    real_s: float
    market_s: float
    speed: float

    def market(self, real_s: float) -> float:
        """Convert real to market time."""
        return self.market_s + (real_s - self.real_s) * self.speed

    def real(self, market_s: float) -> float:
        """Convert market to real time."""
        return self.real_s + (market_s - self.market_s) / self.speed

    def changed(self, real_s: float, speed: float) -> "Tempo":
        """Go on at another speed from a real instant."""
        return Tempo(real_s, self.market(real_s), speed)


@dataclass(frozen=True, slots=True)
class Pace:
    """The limits that a governor keeps."""

    lag_share: float = 0.1  # of the shortest candle
    lag_least_s: float = 20.0  # Freqtrade loops every 5 s; a slow exchange adds as much
    answer_limit_s: float = 4.0  # of the simulator
    request_limit_s: float = 10.0  # on its way: as ccxt signs it, it is good for so long
    judge_every_s: float = 6.0  # longer than between two looks at the simulator
    lates_before_slower: int = 2
    load_at_once: float = 3.0  # so late that nothing is forgiven
    slowest_step: float = 0.25
    first_speed: float = 10.0  # when all bots trade
    calm_load: float = 0.5
    calm_before_faster_s: float = 30.0
    faster: float = 1.25
    calm_before_climbing_s: float = 8.0
    climb: float = 1.5  # below `safe_share` of the speed that was last too much
    safe_share: float = 0.8
    speed_least: float = 1.0

    def lag_limit_s(self, timeframe_s: float) -> float:
        """Tell the highest lag, in market seconds, that is still a faithful replay."""
        return max(self.lag_least_s, self.lag_share * timeframe_s)


@dataclass(frozen=True, slots=True)
class Change:
    """Another speed, and why."""

    speed: float
    reason: str


@dataclass(slots=True)
class Governor:
    """Finds the highest speed, up to the wanted one, at which nobody lags."""

    wanted: float
    pace: Pace = field(default_factory=Pace)
    _due_s: float = 0.0
    _lates: int = 0
    _calm_since_s: float | None = None
    _is_falling: bool = False
    _safe_speed: float = float("inf")  # nothing was too much yet
    has_begun: bool = False

    def is_due(self, now_s: float) -> bool:
        """Tell whether it is time to judge again."""
        return now_s >= self._due_s

    def judge(
        self, speed: float, load: float | None, now_s: float, measured: str = ""
    ) -> Change | None:
        """Tell the speed to change to; None to leave it.

        `load` is the worst measured lag as a share of its limit, None while bots are still
        starting; `measured` tells it in words. Before the first time that all bots trade, the
        market runs in real time, and goes on from there slowly.
        """
        if not self.is_due(now_s):
            return None
        self._due_s = now_s + self.pace.judge_every_s
        if load is None:
            self._lates, self._calm_since_s = 0, None
            return None
        if not self.has_begun:
            self.has_begun = True
            first = min(self.wanted, self.pace.first_speed)
            return Change(first, "all bots trade") if first != speed else None
        if load > 1:
            return self._slower(speed, load, measured)
        self._lates = 0
        return self._faster(speed, load, now_s, measured)

    def _slower(self, speed: float, load: float, measured: str) -> Change | None:
        self._calm_since_s = None
        self._lates += 1
        is_forgiven = self._lates < self.pace.lates_before_slower and load < self.pace.load_at_once
        if is_forgiven or speed <= self.pace.speed_least:
            return None
        if not self._is_falling:  # on the way down the first speed is the one that was too much
            self._safe_speed, self._is_falling = speed * self.pace.safe_share, True
        self._lates = 0
        slower = max(self.pace.speed_least, speed * max(self.pace.slowest_step, 0.9 / load))
        return Change(round(slower, 2), measured)

    def _faster(self, speed: float, load: float, now_s: float, measured: str) -> Change | None:
        if speed >= self.wanted or load > self.pace.calm_load:
            self._calm_since_s = None
            return None
        if self._calm_since_s is None:
            self._calm_since_s = now_s
        is_climbing = speed < self._safe_speed
        wait_s = self.pace.calm_before_climbing_s if is_climbing else self.pace.calm_before_faster_s
        if now_s - self._calm_since_s < wait_s:
            return None
        self._calm_since_s, self._is_falling = now_s, False
        faster = speed * self.pace.faster
        if is_climbing:
            faster = min(speed * self.pace.climb, max(self._safe_speed, faster))
        return Change(round(min(self.wanted, faster), 2), f"calm: {measured}")
