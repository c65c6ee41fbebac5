"""Every strategy's edge is the one that its page of results measured."""

import re

import pytest

from tradekit import edge as edges

SENTENCE = re.compile(
    r"Edge out of sample, in R: ([\d.]+)% of (\d+) trades won, ([\d.]+) times the mean loss each\."
    r".* a trade from (\S+) on\."
)


def test_it_is_the_pages(strategy, root):
    page = root / "docs" / "strategies" / f"{type(strategy).__name__}.md"
    if not page.exists():
        assert strategy.edge is None  # without results there is none
        return
    found = SENTENCE.search(page.read_text())
    assert found is not None, f"{page.name} has no results yet: make results"
    assert strategy.edge is not None, f"write the edge that {page.name} tells into the class"
    won, trades, payoff, since = found.groups()
    assert strategy.edge.win_frac == pytest.approx(float(won) / 100, abs=5e-4)
    assert strategy.edge.payoff == pytest.approx(float(payoff), abs=5e-3)
    assert (strategy.edge.trades, strategy.edge.since) == (int(trades), since)


def test_no_stake_where_it_is_not_positive(strategy, analysed, walk):
    """From the day on which the edge is known, and only from then on."""
    before = analysed(strategy, walk())
    candles = walk()
    candles["date"] += (
        candles["date"].iloc[0].tz_convert("UTC").replace(year=2026) - candles["date"].iloc[0]
    )
    after = analysed(strategy, candles)
    entries = ["enter_long", "enter_short"]
    assert before[entries].to_numpy().any()
    assert after[entries].to_numpy().any() == (not edges.is_spent(strategy.edge))
    exits = ["exit_long", "exit_short"]
    assert (before[exits] == after[exits]).all(axis=None)
