"""The table and the plot of a strategy's page, from records worked by hand."""

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from automation.app.results import MARKS, _replaced
from automation.app.results_page import (
    Curve,
    Row,
    edge_of_record,
    edge_part,
    page_part,
    plot,
    profile_part,
)

DAY_MS = 86_400_000
RECORD = {
    "starting_balance": 1_000.0,
    "backtest_start_ts": 0,
    "backtest_end_ts": 10 * DAY_MS,
    "trades": [
        {"open_timestamp": 0, "close_timestamp": DAY_MS, "amount": 1.0, "open_rate": 500.0,
         "close_rate": 600.0, "profit_abs": 100.0, "funding_fees": 2.0, "exit_reason": "roi"},
        {"open_timestamp": 2 * DAY_MS, "close_timestamp": 4 * DAY_MS, "amount": 1.0,
         "open_rate": 500.0, "close_rate": 390.0, "profit_abs": -110.0, "funding_fees": None,
         "exit_reason": "drawdown_limit"},
    ],
}  # fmt: skip


def test_a_row_says_what_the_trades_say():
    row = Row.of_record("S", RECORD)
    assert row.trades == 2
    assert row.profit_frac == pytest.approx(-0.01)
    assert row.drawdown_frac == pytest.approx(0.1)
    assert row.profit_factor == pytest.approx(100 / 110)
    assert row.exposure_frac == pytest.approx(0.3)
    assert row.funding_frac == pytest.approx(0.002)
    assert (row.limits_hit, row.liquidations) == (1, 0)


def test_a_curve_has_a_value_a_day():
    curve = Curve.of_record("S", RECORD)
    assert len(curve.equity) == 11
    np.testing.assert_allclose(curve.equity[[0, 2, 4, 5, 10]], [1, 1.1, 1.1, 0.99, 0.99])


def test_a_page_keeps_its_words():
    part = page_part("S", "5m", ["BTC/USDT:USDT"], {"in sample": "20240101-20240111"},
                     [("in sample", Row.of_record("S", RECORD))])  # fmt: skip
    page = f"# S\n\nwords\n\n{MARKS[0]}\nformerly\n{MARKS[1]}\n\nafter\n"
    written = _replaced(page, part)
    assert written.startswith("# S\n\nwords\n")
    assert written.endswith("after\n")
    assert "formerly" not in written
    assert "| in sample | S | 2 | -1.0% | 10.0% |" in written
    assert _replaced(written, part) == written


def test_the_plot_is_svg_with_a_line_a_curve():
    curve = Curve.of_record("S", RECORD)
    drawn = ET.fromstring(plot({"in": [curve, curve], "out": [curve]}))
    assert sum(node.tag.endswith("polyline") for node in drawn.iter()) == 3


def test_the_edge_is_in_r():
    # 500 of notional at a stop of 1.88 % and 0.12 % of costs risk 10: +10 R and −11 R
    trades = [{**trade, "stop_dist_frac": 0.0188} for trade in RECORD["trades"]]
    record = {**RECORD, "trades": trades}
    edge = edge_of_record(record, "2025-07-01")
    assert edge is not None
    assert edge.payoff == pytest.approx(10 / 11)
    assert (edge.win_frac, edge.trades, edge.since) == (0.5, 2, "2025-07-01")
    assert edge_part(record, "2025-07-01").startswith("Edge out of sample, in R: 50.0% of 2 trades")
    assert "none" in edge_part({**RECORD, "trades": trades[:1]}, "2025-07-01")


def test_every_profile_has_a_row():
    part = profile_part([("in sample", "aggressive", Row.of_record("S", RECORD))])
    assert part.splitlines()[-1].startswith("| in sample | aggressive | 2 | -1.0% | 10.0% |")
