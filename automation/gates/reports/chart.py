"""Equity before and after as an inline drawing: window by window, one step a day."""

import math
from collections.abc import Sequence

import numpy as np

from automation.gates.figures import daily_fracs
from automation.gates.results import FloatArray, WindowResult
from automation.gates.verdicts import StrategyReport

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 900.0, 260.0, 52.0, 10.0, 24.0
_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def equity_chart(one: StrategyReport) -> str:
    """Draw the equity of every window, each from 100 %: now, and the base where it differs."""
    now = [_curve(window) for window in one.windows]
    changed = one.comparison is not None and not one.comparison.is_identical
    before = [_curve(window) for window in one.base_windows] if changed else []
    values = np.concatenate([*now, *before])
    low, high = float(np.min(values)), float(np.max(values))
    pad = max((high - low) * 0.05, 1e-4)
    scale = _Scale(low - pad, high + pad, sum(len(curve) for curve in now))
    parts = [_grid(scale)]
    parts += _lines(before, "before", scale) + _lines(now, "now", scale)
    parts += _labels(one.windows, now, scale)
    legend = "now" + (" and before (grey)" if before else "")
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" '
        f'aria-label="equity {legend}">{"".join(parts)}</svg>'
        f'<figcaption class="soft">Equity by window, {legend}</figcaption></figure>'
    )


class _Scale:
    """From days and equity to points of the drawing."""

    def __init__(self, low: float, high: float, days: int) -> None:
        self.low, self.high, self._days = low, high, max(days - 1, 1)

    def x(self, day: int) -> float:
        """Place a day."""
        return _LEFT + (_WIDTH - _LEFT) * day / self._days

    def y(self, value: float) -> float:
        """Place an equity."""
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (self.high - value) / (self.high - self.low)


def _curve(window: WindowResult) -> FloatArray:
    return np.concatenate(([1.0], 1.0 + np.cumsum(daily_fracs(window))))


def _lines(curves: Sequence[FloatArray], name: str, scale: _Scale) -> list[str]:
    drawn, start = [], 0
    for curve in curves:
        points = " ".join(
            f"{scale.x(start + day):.1f},{scale.y(value):.1f}" for day, value in enumerate(curve)
        )
        drawn.append(f'<polyline class="{name}" fill="none" stroke-width="1.6" points="{points}"/>')
        start += len(curve)
    return drawn


def _grid(scale: _Scale) -> str:
    """Draw lines at round values, the strongest at 100 %, where every window begins."""
    step = next((one for one in _STEPS if (scale.high - scale.low) / one <= 5), _STEPS[-1])
    first, last = math.ceil(scale.low / step), math.floor(scale.high / step)
    drawn = []
    for value in (number * step for number in range(first, last + 1)):
        y = scale.y(value)
        kind = "whole" if math.isclose(value, 1.0) else "grid"
        drawn.append(
            f'<line class="{kind}" x1="{_LEFT:g}" x2="{_WIDTH:g}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        shown = f"{value:.1%}" if step < 0.01 else f"{value:.0%}"
        drawn.append(f'<text x="0" y="{y + 4:.1f}">{shown}</text>')
    return "".join(drawn)


def _labels(
    windows: Sequence[WindowResult], curves: Sequence[FloatArray], scale: _Scale
) -> list[str]:
    drawn, start = [], 0
    for window, curve in zip(windows, curves, strict=True):
        drawn.append(f'<text x="{scale.x(start):.1f}" y="{_HEIGHT - 6:g}">{window.window}</text>')
        start += len(curve)
    return drawn
