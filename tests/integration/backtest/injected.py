"""Freqtrade's own `Backtesting` with markets injected instead of asked for: the independent check.

Run as a program: reads a job as JSON from standard input, writes the trades as JSON. The markets
come from ccxt's own parser over an exchangeInfo document; no request is made.
"""

import json
import sys
from pathlib import Path

import ccxt
from freqtrade.configuration import Configuration
from freqtrade.enums import RunMode
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.resolvers import ExchangeResolver


def parse_markets(document: dict) -> dict:
    exchange = ccxt.binanceusdm({"options": {"fetchMarkets": {"types": ["linear"]}}})
    exchange.fapiPublicGetExchangeInfo = lambda *_args: document
    return {market["symbol"]: market for market in exchange.fetch_markets()}


def run(job: dict) -> list[dict]:
    arguments = {
        "config": job["configs"],
        "strategy": job["strategy"],
        "strategy_path": job["strategy_path"],
        "datadir": Path(job["data"]),
        "user_data_dir": job["userdir"],
        "timerange": job["timerange"],
        "pairs": job["pairs"],
        "export": "none",
        "backtest_cache": "none",
    }
    config = Configuration(arguments, RunMode.BACKTEST).get_config()
    exchange = ExchangeResolver.load_exchange(config, validate=False, load_leverage_tiers=False)
    exchange._markets = parse_markets(job["exchange_info"])
    exchange._api.markets = exchange._api_async.markets = exchange._markets
    exchange._last_markets_refresh = sys.maxsize
    exchange.fill_leverage_tiers()
    backtesting = Backtesting(config, exchange)
    backtesting.start()
    return backtesting.results["strategy"][job["strategy"]]["trades"]


if __name__ == "__main__":
    trades = run(json.load(sys.stdin))
    Path(sys.argv[1]).write_text(json.dumps(trades, default=str), encoding="utf-8")
