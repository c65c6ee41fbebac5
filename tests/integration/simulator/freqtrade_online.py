"""A pytest plugin that sends Freqtrade's own online exchange tests to the simulator.

Those tests are in Freqtrade's repository and meet the real exchanges. With this plugin
(`-p freqtrade_online`) the one exchange that they load, Binance, has the addresses that
`SIMULATOR_EXCHANGE` gives (Freqtrade's `exchange` section as JSON); nothing else is changed.
"""

import json
import os

from freqtrade.misc import deep_merge_dicts
from freqtrade.resolvers.exchange_resolver import ExchangeResolver

_load = ExchangeResolver.load_exchange


def _load_there(config, **options):
    section = json.loads(os.environ["SIMULATOR_EXCHANGE"])
    exchange = config["exchange"]
    for name in ("ccxt_config", "ccxt_async_config", "only_from_ccxt"):
        if isinstance(section[name], dict):
            exchange[name] = deep_merge_dicts(section[name], exchange.get(name, {}))
        else:
            exchange[name] = section[name]
    if exchange.get("enable_ws"):
        exchange["_ft_has_params"] = {"ws_enabled": True}  # Freqtrade's default for futures is off
    return _load(config, **options)


ExchangeResolver.load_exchange = staticmethod(_load_there)
