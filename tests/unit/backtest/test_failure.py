"""What freqtrade prints before it gives up becomes one sentence."""

from pathlib import Path

from automation.backtest.failure import explain
from automation.core.errors import ConfigError, PermanentError

SOURCE = Path("/somewhere/Mine.py")


def test_import_error_names_file_and_reason():
    lines = [
        "2026-01-01 - freqtrade.resolvers - WARNING - Could not import /somewhere/Other.py due to 'x'",
        "2026-01-01 - freqtrade.resolvers - WARNING - Could not import /somewhere/Mine.py due to "
        "'No module named 'nothing''",
        "2026-01-01 - freqtrade - ERROR - Impossible to load Strategy 'Mine'. This class ...",
    ]
    error = explain("Mine", SOURCE, 2, lines)
    assert isinstance(error, ConfigError)
    assert str(error) == "/somewhere/Mine.py: Mine does not load: No module named 'nothing'"


def test_crash_in_the_strategy_names_its_line():
    lines = [
        "2026-01-01 - freqtrade - ERROR - Fatal exception!",
        "Traceback (most recent call last):",
        '  File "/lib/freqtrade/main.py", line 39, in main',
        '  File "/somewhere/Mine.py", line 12, in populate_indicators',
        "KeyError: 'colse'",
    ]
    error = explain("Mine", SOURCE, 1, lines)
    assert str(error) == "/somewhere/Mine.py:12: Mine failed: KeyError: 'colse'"
    assert error.exit_code == 2


def test_freqtrades_own_complaint_is_passed_on():
    lines = ["2026-01-01 - freqtrade - ERROR - No data found. Terminating."]
    assert str(explain("Mine", SOURCE, 2, lines)) == "Mine: No data found. Terminating"


def test_killed_run_is_not_the_users_fault():
    error = explain("Mine", SOURCE, -9, [])
    assert isinstance(error, PermanentError)
    assert "killed by signal 9" in str(error)


def test_silent_end_shows_the_last_line():
    assert "the end" in str(explain("Mine", SOURCE, 1, ["x", "the end", "  "]))
    assert "printed nothing" in str(explain("Mine", SOURCE, 1, []))
