"""Does a data folder hold what a backtest needs? Said before anything starts, pair by pair.

Freqtrade wants candles in the strategy's own timeframe, and hourly mark candles and funding rates
for every pair. Only a range without data is refused; shorter data and holes are notes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from automation.core.clock import from_ms, to_ms
from automation.core.errors import ConfigError, ConfigErrors
from automation.core.timerange import TimeRange
from automation.simulator import DataFolder
from automation.simulator.datafolder import Kind, Series

_NEEDED: tuple[tuple[Kind, str], ...] = (("mark", "1h"), ("funding_rate", "1h"))
_WORDS: dict[Kind, str] = {
    "futures": "candles",
    "mark": "mark candles",
    "funding_rate": "funding rates",
}
_SHOWN_GAPS = 3


@dataclass(frozen=True, slots=True)
class Coverage:
    """The pairs that a backtest can use, and what its reader should know of their data."""

    pairs: tuple[str, ...]
    notes: tuple[str, ...]


def cover(data: Path, timeframes: Sequence[str], span: TimeRange, pairs: Sequence[str]) -> Coverage:
    """Check the named pairs, or choose all that cover the whole range.

    Raises ConfigErrors with every pair that has no data in the range.
    """
    folder = DataFolder(data)
    chosen = tuple(pairs) or _covering(folder, timeframes, span)
    faults = [
        fault
        for pair in chosen
        for name in timeframes
        for fault in _faults(folder, pair, name, span)
    ]
    if faults:
        raise ConfigErrors(faults)
    notes = [
        note for pair in chosen for name in timeframes for note in _notes(folder, pair, name, span)
    ]
    return Coverage(chosen, tuple(notes))


def _covering(folder: DataFolder, timeframes: Sequence[str], span: TimeRange) -> tuple[str, ...]:
    chosen = tuple(
        pair
        for pair in folder.pairs
        if all(_covers(folder, pair, kind, name, span) for kind, name in _wanted(timeframes))
    )
    if not chosen:
        asked = " and ".join(timeframes) or "any"
        raise ConfigError(
            f"no pair has {asked} candles, 1h mark candles and funding over the whole of {span.text}",
            where=str(folder.path),
            cure="choose another range, or name pairs with --pairs",
        )
    return chosen


def _wanted(timeframes: Sequence[str]) -> list[tuple[Kind, str]]:
    return [*(("futures", name) for name in timeframes), *_NEEDED]


def _covers(folder: DataFolder, pair: str, kind: Kind, name: str, span: TimeRange) -> bool:
    found = folder.find(pair, kind, name)
    if not found:
        return False
    # Funding is settled every eight hours at most: the last stamp may lie that far before the end.
    slack_ms = 8 * 3_600_000 if kind == "funding_rate" else found[0].timeframe.length_ms
    starts = span.start is None or found[0].first_ms <= to_ms(span.start) + slack_ms
    ends = span.end is None or found[0].end_ms + slack_ms >= to_ms(span.end)
    return starts and ends


def _faults(folder: DataFolder, pair: str, name: str, span: TimeRange) -> Iterator[ConfigError]:
    if pair not in folder.pairs:
        cure = f"there are {', '.join(folder.pairs)}"
        yield ConfigError(f"no candles of {pair}", where=str(folder.path), cure=cure)
        return
    for kind, wanted in _wanted([name]):
        found = folder.find(pair, kind, wanted)
        there = ", ".join(series.timeframe.name for series in folder.find(pair, kind)) or "none"
        if not found:
            yield ConfigError(
                f"no {wanted} {_WORDS[kind]} of {pair}; in other timeframes: {there}",
                where=str(folder.path),
                cure="download them with freqtrade download-data",
            )
        elif not _overlaps(found[0], span):
            first, last = _day(found[0].first_ms), _day(found[0].end_ms)
            yield ConfigError(
                f"no {wanted} {_WORDS[kind]} of {pair} in {span.text}; they run from {first} to {last}",
                where=str(folder.path),
                cure="choose a range inside, or leave the pair out",
            )


def _overlaps(series: Series, span: TimeRange) -> bool:
    before_end = span.end is None or series.first_ms < to_ms(span.end)
    after_start = span.start is None or series.end_ms > to_ms(span.start)
    return before_end and after_start


def _notes(folder: DataFolder, pair: str, name: str, span: TimeRange) -> Iterator[str]:
    series = folder.find(pair, "futures", name)[0]
    if span.start is not None and series.first_ms > to_ms(span.start):
        yield f"{pair} {name} candles begin {_day(series.first_ms)}, after the range does"
    if span.end is not None and series.end_ms < to_ms(span.end):
        yield f"{pair} {name} candles end {_day(series.end_ms)}, before the range does"
    gaps = [gap for gap in folder.gaps(pair, name) if gap.kind == "futures"]
    inside = [gap for gap in gaps if _inside(gap.from_ms, gap.to_ms, span)]
    for gap in inside[:_SHOWN_GAPS]:
        count = f"{gap.missing} {name} candle{'s' if gap.missing > 1 else ''}"
        yield f"{pair} lacks {count} from {_minute(gap.from_ms)}; filled as Freqtrade does"
    if len(inside) > _SHOWN_GAPS:
        missing = sum(gap.missing for gap in inside[_SHOWN_GAPS:])
        yield f"{pair} has {len(inside) - _SHOWN_GAPS} more gaps, {missing} {name} candles in all"


def _inside(from_ms: int, to_ms_: int, span: TimeRange) -> bool:
    start = span.start or datetime.fromtimestamp(0, UTC)
    end = span.end or datetime.max.replace(tzinfo=UTC)
    return from_ms < to_ms(end) and to_ms_ > to_ms(start)


def _day(epoch_ms: int) -> str:
    return f"{from_ms(epoch_ms):%Y-%m-%d %H:%M}"


_minute = _day
