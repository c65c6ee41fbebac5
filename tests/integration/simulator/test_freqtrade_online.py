"""Freqtrade's own online exchange tests, against the simulator instead of the exchange.

They are no part of an installed Freqtrade: FREQFLEET_FREQTRADE names a checkout of its repository,
of the installed version.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from automation.simulator import freqtrade_exchange_section, open_market, serving

CHECKOUT = os.environ.get("FREQFLEET_FREQTRADE")
SPOT = "there is no spot market"
CANNOT = {
    "test_load_markets[binance]": SPOT,
    "test_ccxt_order_parse[binance]": SPOT,
    "test_ccxt_fetch_tickers[binance]": SPOT,
    "test_ccxt_fetch_ticker[binance]": SPOT,
    "test_ccxt_fetch_ohlcv_startdate[binance]": SPOT,
    "test_ccxt_get_fee[binance]": SPOT,
    "test_ccxt_get_fee_spot[binance]": SPOT,
    "test_ccxt_balances_parse[binance]": SPOT,
    "test_ccxt_watch_ohlcv[binance-spot]": SPOT,
    "test_ccxt_fetch_open_interest_history[binance]": "open interest is not served",
}
OPTIONS = [
    *("-p", "freqtrade_online", "-p", "no:cacheprovider", "-n0", "-q", "-rA", "-W", "ignore"),
    *("--longrun", "-k", "binance and not binanceus"),
]
OUTCOME = re.compile(r"^(PASSED|FAILED|ERROR) \S*::(test_\S+)", re.MULTILINE)


@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.skipif(CHECKOUT is None, reason="FREQFLEET_FREQTRADE names no checkout of Freqtrade")
def test_all_pass_but_those_that_ask_for_what_is_not_served():
    here = str(Path(__file__).parent)
    with serving(open_market(11), tls_port=0) as sim:
        section = freqtrade_exchange_section(sim.tls_url, ["BTC/USDT:USDT"])
        paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *OPTIONS, "tests/exchange_online"],
            cwd=CHECKOUT,
            env={
                **os.environ,
                "SIMULATOR_EXCHANGE": json.dumps(section),
                "PYTHONPATH": os.pathsep.join(paths),
            },
            capture_output=True,
            text=True,
            timeout=800,
            check=False,
        )
    outcomes = {name: outcome for outcome, name in OUTCOME.findall(done.stdout)}
    assert list(outcomes.values()).count("PASSED") > 20, done.stdout[-3000:] + done.stderr
    wrong = {name for name, outcome in outcomes.items() if outcome != "PASSED"}
    assert wrong <= CANNOT.keys(), done.stdout[-6000:]
