"""Reads of a user's Freqtrade configurations just what a hermetic run has to agree with.

The files stay Freqtrade's: it reads and validates them itself. Here only contradictions are found
(another exchange, spot markets), because an overlay that silently adjusted them would lie.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automation.core import freqtradejson
from automation.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class UserConfig:
    """What the layered configurations say; None or empty where they say nothing."""

    timeframe: str | None
    pairs: tuple[str, ...]


def read_configs(paths: Sequence[Path]) -> UserConfig:
    """Layer the files as Freqtrade does and look at them.

    Raises ConfigError for a file that cannot be read, and for spot markets or an exchange that is
    not Binance.
    """
    merged: dict[str, Any] = {}
    for path in paths:
        layer = freqtradejson.read(path)
        _check(path, layer)
        freqtradejson.lay(layer, merged)
    exchange = merged.get("exchange") or {}
    return UserConfig(merged.get("timeframe"), tuple(exchange.get("pair_whitelist") or ()))


def _check(path: Path, layer: dict[str, Any]) -> None:
    mode = layer.get("trading_mode", "futures")
    if mode != "futures":
        cure = 'set "trading_mode": "futures"'
        raise ConfigError(f"trading_mode is {mode}, not futures", where=str(path), cure=cure)
    name = (layer.get("exchange") or {}).get("name", "binance")
    if name != "binance":
        cure = "only Binance USDT perpetuals can be simulated"
        raise ConfigError(f"the exchange is {name}", where=str(path), cure=cure)
