"""A stand-in of Binance USDT-M futures on the loopback: what the exchange would have answered.

Decides what a market client sees: which symbols there are, their rules, every candle, price and
funding rate, and the JSON around them. Refuses to know who asks: Freqtrade, ccxt or a notebook.
Called by `app` (`freqfleet simulate`, `freqfleet backtest`), by tests, and by other people's tests.

    market = open_market("user_data/data/binance")        # replay of a Freqtrade data folder
    market = open_market(7)                                # synthetic, seed 7
    async with Simulator(market, at=parse_instant("2024-08-05")) as sim:   # port=0: the system picks
        overlay = freqtrade_overlay(sim.url, market.pairs)  # a complete configuration for `-c`
    with serving(market) as sim:                           # the same without asyncio, in a thread
        ...

Public names:

`Simulator(market, *, at=None, port=0, clock=None)`   serves one market; `.url`, `.port`, `.at`, `.hub`
`Simulator(market, at=..., manual=True)`              time moves by `.advance(...)`, `.advance_to(...)`
`Simulator(market, scenario=..., admin_token=...)`    things go wrong: see `faults`
`load_scenario(path, symbols)`                        a scenario for that
`serving(market, **same)`                             the same as a plain context manager
`open_market(data_dir | recording | seed, pairs=None)`   a `Market`: `.pairs`, `.instruments`
`freqtrade_exchange_section(url, pairs, ...)`         Freqtrade's `exchange` section
`freqtrade_overlay(url, pairs, ...)`                  for the last `-c`: what keeps any bot offline
`freqtrade_configuration(url, pairs)`                 a complete dry-run configuration
`ccxt_config(url)`                                    the same for a plain ccxt client
`DataFolder(path)`                                    `.series`, `.pairs`, `.gaps()`, `.find(...)`
`write_data_folder(dir, pairs, timeframes, start, end, seed)`   synthetic candles as feather files

Wrong use raises `ConfigError`, a taken port `DependencyError`; both say what to do.
"""

from automation.simulator.datafolder import DataFolder, Gap, Series
from automation.simulator.faults import Scenario, load_scenario
from automation.simulator.freqtrade_config import (
    ccxt_config,
    freqtrade_configuration,
    freqtrade_exchange_section,
    freqtrade_overlay,
)
from automation.simulator.market import Instrument, Market
from automation.simulator.server import Simulator, serving
from automation.simulator.signed import Limits, Trading
from automation.simulator.sources import open_market
from automation.simulator.trading.accounts import AccountSpec, account
from automation.simulator.writing import write_data_folder

__all__ = [
    "AccountSpec",
    "DataFolder",
    "Gap",
    "Instrument",
    "Limits",
    "Market",
    "Scenario",
    "Series",
    "Simulator",
    "Trading",
    "account",
    "ccxt_config",
    "freqtrade_configuration",
    "freqtrade_exchange_section",
    "freqtrade_overlay",
    "load_scenario",
    "open_market",
    "serving",
    "write_data_folder",
]
