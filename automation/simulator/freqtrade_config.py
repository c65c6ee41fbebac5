"""Freqtrade configuration that keeps a bot on the simulator and off the network.

Decides which of Freqtrade's and ccxt's settings have to change: every address they could call,
and the calls that would go elsewhere. Refuses to know strategies and money. Called by `app`
(`--write-config`, `backtest`) and by tests. Verified with Freqtrade 2026.9 and ccxt 4.5.90.
"""

import secrets
from collections.abc import Sequence
from typing import Any

_FUTURES = {
    "fapiPublic": "/fapi/v1",
    "fapiPublicV2": "/fapi/v2",
    "fapiPublicV3": "/fapi/v3",
    "fapiPrivate": "/fapi/v1",
    "fapiPrivateV2": "/fapi/v2",
    "fapiPrivateV3": "/fapi/v3",
    "fapiData": "/futures/data",
}
# Not served: they are sent here too, so that a stray call gets a 404 instead of leaving the machine.
_ELSEWHERE = {
    "public": "/api/v3",
    "private": "/api/v3",
    "v1": "/api/v1",
    "sapi": "/sapi/v1",
    "sapiV2": "/sapi/v2",
    "sapiV3": "/sapi/v3",
    "sapiV4": "/sapi/v4",
    "dapiPublic": "/dapi/v1",
    "dapiPrivate": "/dapi/v1",
    "dapiPrivateV2": "/dapi/v2",
    "dapiData": "/dapi/data",
    "eapiPublic": "/eapi/v1",
    "eapiPrivate": "/eapi/v1",
    "papi": "/papi/v1",
    "papiV2": "/papi/v2",
}
_STREAMS = ("spot", "margin", "linear", "inverse", "option")


def ccxt_config(url: str) -> dict[str, Any]:
    """Settings for `ccxt.binanceusdm(...)` (sync, async or pro) that use the simulator at `url`.

    With its `tls_url` certificates are not checked: ccxt has no way to be given ours.
    """
    unchecked = {"verify": False} if url.startswith("https:") else {}
    return unchecked | {
        "enableRateLimit": False,
        "urls": {"api": _addresses(url)},
        "options": {
            "defaultType": "swap",
            "fetchMarkets": {"types": ["linear"]},
            "fetchCurrencies": False,
        },
    }


def _addresses(url: str) -> dict[str, Any]:
    base = url.rstrip("/")
    socket = "ws" + base.removeprefix("http") + "/ws"
    streams: dict[str, Any] = dict.fromkeys(_STREAMS, socket)
    streams["ws-api"] = dict.fromkeys(("spot", "linear", "inverse"), socket)
    paths = _FUTURES | _ELSEWHERE
    return {name: base + path for name, path in paths.items()} | {"ws": streams}


def freqtrade_exchange_section(
    url: str, pairs: Sequence[str], *, key: str = "", secret: str = ""
) -> dict[str, Any]:
    """Write Freqtrade's whole `exchange` section for the simulator at `url`.

    `pairs` become the whitelist. Key and secret are made up unless given.
    """
    return {
        "name": "binance",
        "key": key or secrets.token_hex(32),
        "secret": secret or secrets.token_hex(32),
        "enable_ws": False,
        "only_from_ccxt": True,
        "log_responses": False,
        "ccxt_config": ccxt_config(url),
        "ccxt_async_config": {},
        "pair_whitelist": list(pairs),
        "pair_blacklist": [],
    }


def freqtrade_overlay(
    url: str, pairs: Sequence[str], *, key: str = "", secret: str = ""
) -> dict[str, Any]:
    """Write what any Freqtrade configuration needs on top of itself to stay off the network.

    Give it as the last `-c`. It leaves stakes, margin mode, pricing sides and the rest alone.
    """
    return {
        "trading_mode": "futures",
        "fiat_display_currency": "",
        "entry_pricing": {"use_order_book": True},
        "exit_pricing": {"use_order_book": True},
        "pairlists": [{"method": "StaticPairList"}],
        "exchange": freqtrade_exchange_section(url, pairs, key=key, secret=secret),
    }


def freqtrade_configuration(
    url: str, pairs: Sequence[str], *, live: bool = False, key: str = "", secret: str = ""
) -> dict[str, Any]:
    """Write a complete configuration: enough for Freqtrade without any other file.

    Dry-run unless `live`; a live bot needs the key and secret of an account of the simulator, and
    its `tls_url`, without which ccxt does not tell Binance's futures errors apart.
    """
    order_book = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
    return freqtrade_overlay(url, pairs, key=key, secret=secret) | {
        "margin_mode": "isolated",
        "stake_currency": "USDT",
        "stake_amount": "unlimited",
        "max_open_trades": 3,
        "tradable_balance_ratio": 0.99,
        "dry_run": not live,
        "dry_run_wallet": 10_000,
        "dataformat_ohlcv": "feather",
        "initial_state": "running",
        "entry_pricing": order_book,
        "exit_pricing": order_book,
        "unfilledtimeout": {"entry": 10, "exit": 10, "unit": "minutes"},
    }
