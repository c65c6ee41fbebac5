"""Reads of a user's Freqtrade configurations just what a hermetic run has to agree with.

The files stay Freqtrade's: it reads and validates them itself. Here only contradictions are found
(another exchange, spot markets), because an overlay that silently adjusted them would lie.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rapidjson

from automation.core.errors import ConfigError

_LENIENT = rapidjson.PM_COMMENTS | rapidjson.PM_TRAILING_COMMAS  # as Freqtrade reads them


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
        layer = _read(path)
        _check(path, layer)
        _merge(layer, merged)
    exchange = merged.get("exchange") or {}
    return UserConfig(merged.get("timeframe"), tuple(exchange.get("pair_whitelist") or ()))


def _read(path: Path) -> dict[str, Any]:
    try:
        layer = rapidjson.loads(path.read_text(encoding="utf-8"), parse_mode=_LENIENT)
    except FileNotFoundError:
        raise ConfigError("there is no such file", where=str(path), cure="see -c") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path)) from None
    except rapidjson.JSONDecodeError as error:
        raise ConfigError(f"not valid JSON: {error}", where=str(path)) from None
    if not isinstance(layer, dict):
        raise ConfigError("holds no JSON object", where=str(path))
    included = [path.parent / name for name in layer.pop("add_config_files", [])]
    merged: dict[str, Any] = {}
    for other in included:
        _merge(_read(other), merged)
    _merge(layer, merged)
    return merged


def _check(path: Path, layer: dict[str, Any]) -> None:
    mode = layer.get("trading_mode", "futures")
    if mode != "futures":
        cure = 'set "trading_mode": "futures"'
        raise ConfigError(f"trading_mode is {mode}, not futures", where=str(path), cure=cure)
    name = (layer.get("exchange") or {}).get("name", "binance")
    if name != "binance":
        cure = "only Binance USDT perpetuals can be simulated"
        raise ConfigError(f"the exchange is {name}", where=str(path), cure=cure)


def _merge(layer: dict[str, Any], onto: dict[str, Any]) -> None:
    """Lay `layer` over `onto`, objects key by key (freqtrade/misc.py, deep_merge_dicts)."""
    for key, value in layer.items():
        if isinstance(value, dict) and isinstance(onto.get(key), dict):
            _merge(value, onto[key])
        else:
            onto[key] = value
