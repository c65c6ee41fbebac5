"""The look-ahead analysis is spread over all windows, in short ranges."""

from dataclasses import replace

from automation.gates.bench import plan_ranges
from automation.gates.config import GateSettings
from automation.gates.run import plan_smoke, plan_windows

DAY_MS = 86_400_000
START_MS = 1_735_689_600_000


def later(result, days: int):
    trades = result.trades
    shift = days * DAY_MS
    moved = replace(
        trades,
        open_ms=tuple(one + shift for one in trades.open_ms),
        close_ms=tuple(one + shift for one in trades.close_ms),
    )
    start, end = result.start_ms + shift, result.end_ms + shift
    return replace(result, start_ms=start, end_ms=end, trades=moved)


def test_ranges_are_short_where_trades_are_many(make_window):
    results = [later(make_window([1.0] * 60, days=60), days) for days in (0, 60, 120)]
    windows = plan_ranges(results, 45)
    assert [len(one) for one in windows] == [3, 3, 3]
    assert sum(one.trades for window in windows for one in window) == 45
    first = windows[0][0]
    assert first.timerange == "20250101-20250108"  # 5 trades and a reserve of 1, and a day
    spans = [one.timerange for window in windows for one in window]
    assert spans == sorted(spans)
    starts_and_ends = [part for span in spans for part in span.split("-")]
    assert starts_and_ends == sorted(starts_and_ends)  # none overlaps


def test_a_sparse_window_is_taken_whole_and_an_empty_one_left_out(make_window):
    sparse = make_window([1.0, 1.0], days=30)
    (window,) = plan_ranges([sparse, make_window([])], 100)
    assert [one.timerange for one in window] == ["20250101-20250111"]


def test_windows_cover_the_bundle_without_overlap():
    plan = plan_windows(GateSettings(windows=4), START_MS, START_MS + 91 * DAY_MS)
    assert plan.windows[0].startswith("20250101-")
    assert plan.windows[-1].endswith("-20250402")
    for before, after in zip(plan.windows, plan.windows[1:], strict=False):
        assert before.split("-")[1] == after.split("-")[0]


def test_smoke_is_one_month():
    plan = plan_smoke(GateSettings(), START_MS, START_MS + 91 * DAY_MS)
    assert plan.windows == ("20250303-20250402",)
    assert plan.is_smoke
