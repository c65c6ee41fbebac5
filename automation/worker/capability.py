"""Names what the kernel cannot reproduce of a strategy and its configuration.

An empty answer is a promise: the kernel's trades equal Freqtrade's. What is not known here to be
reproduced counts as not reproduced: a method of IStrategy that a strategy overrides must be on
one of the lists below, and PackStrategy's callbacks must read exactly as they did when the kernel
was written after them (`PACK_FORMS`). Called by `engine`.
"""

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from freqtrade.enums import MarginMode, TradingMode
from freqtrade.exchange.exchange import TICK_SIZE
from freqtrade.persistence import PairLocks
from freqtrade.strategy import IStrategy
from freqtrade.strategy.hyper import HyperStrategyMixin

from automation.worker.kernel import ordering
from automation.worker.kernel.layout import REASONS
from tradekit import base
from tradekit.base import PackStrategy

# Overriding these changes columns and signals only, which are taken from the strategy as they are.
FREE = frozenset(
    {
        "__init__",
        "bot_start",
        "informative_pairs",
        "plot_annotations",
        "populate_buy_trend",
        "populate_entry_trend",
        "populate_exit_trend",
        "populate_indicators",
        "populate_sell_trend",
        "protections",
        "version",
    }
)
# Only asked where the named setting is on.
CONDITIONAL = {
    "custom_stoploss": "use_custom_stoploss",
    "custom_roi": "use_custom_roi",
    "adjust_trade_position": "position_adjustment_enable",
}
# PackStrategy's callbacks (docs/adr/0004-frozen-callbacks.md), and what they are made of.
PACK_CALLBACKS = (
    "adjust_entry_price",
    "adjust_trade_position",
    "bot_loop_start",
    "confirm_trade_entry",
    "custom_entry_price",
    "custom_exit",
    "custom_stake_amount",
    "custom_stoploss",
    "leverage",
)
PACK_PARTS = (
    "_analyzed",
    "_equity",
    "_first_slice",
    "_is_fresh",
    "_mark",
    "_outlives_process",
    "_room",
    "_signal",
    "_signal_number",
    "_signal_risk",
    "_stored_ladder",
    "_trade_plan",
    "_trade_stop",
)
# Fingerprints of forms that read differently and do the same.
PACK_FORMS = frozenset({"f58702a4f614ff2c"})
PACK_SIGNALS = ("populate_entry_trend", "populate_exit_trend", "parameter_values")
PACK_SIGNALS_FORM = "a21ce6d4b61be04f"

PROTECTIONS = ("CooldownPeriod", "StoplossGuard", "MaxDrawdown", "LowProfitPairs")
_PYTHON_OF_ENUM = {"stoploss_on_exchange", *REASONS}


def strategy_reasons(strategy: Any) -> tuple[str, ...]:
    """Return what the strategy's class and settings ask that the kernel does not do."""
    return (*_overrides(strategy), *_settings(strategy))


def job_reasons(bt: Any) -> tuple[str, ...]:
    """Return what the configuration asks that the kernel does not do."""
    config = bt.config
    exact_mode = bt.precision_mode == TICK_SIZE and bt.precision_mode_price == TICK_SIZE
    sizes = {pair: bt.exchange.get_contract_size(pair) for pair in bt.pairlists.whitelist}
    found = [
        (bt.trading_mode == TradingMode.FUTURES, "spot and margin trading"),
        (bt.margin_mode in (MarginMode.ISOLATED, MarginMode.CROSS), "this margin mode"),
        (config["exchange"]["name"] == "binance", "liquidation on another exchange than Binance"),
        (exact_mode, "precision by decimals or significant digits"),
        (not bt.timeframe_detail, "the detail timeframe"),
        (not config.get("position_stacking", False), "position stacking"),
        (not bt.dynamic_pairlist, "a pairlist that changes with time"),
        (not config.get("freqai", {}).get("enabled", False), "FreqAI"),
        ("available_capital" not in config, "available_capital"),
        (isinstance(config["dry_run_wallet"], (int, float)), "a start wallet of several coins"),
        ("proxy_coin" not in config, "proxy_coin"),
        (bt.timeframe_secs % 60 == 0, "a timeframe that is no whole minutes"),
        (all(size == 1.0 for size in sizes.values()), "a contract size other than 1"),
    ]
    return tuple(what for holds, what in found if not holds)


def protection_reasons(protections: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """Return which protections the kernel does not know."""
    reasons = []
    for protection in protections:
        if protection["method"] not in PROTECTIONS:
            reasons.append(f"the protection {protection['method']}")
        elif protection.get("trade_limit", 1) < 1:
            reasons.append(f"{protection['method']} with a trade_limit below 1")
        elif protection["method"] == "MaxDrawdown" and not ordering.matches_numpy():
            reasons.append("MaxDrawdown: numpy orders equal dates in another way than the kernel")
    return tuple(reasons)


def signal_reasons() -> tuple[str, ...]:
    """Return what computing the signals did beyond signals."""
    return ("pairs locked while signals were computed",) if PairLocks.get_all_locks() else ()


def tag_reasons(exit_tags: Iterable[str | None], guarded: bool) -> tuple[str, ...]:
    """Return whether an exit tag reads as one of Freqtrade's own reasons, which StoplossGuard counts."""
    clash = sorted({tag for tag in exit_tags if tag in _PYTHON_OF_ENUM - {"exit_signal"}})
    return (f"the exit tag {clash[0]} beside StoplossGuard",) if clash and guarded else ()


def is_pack(strategy: Any) -> bool:
    """Tell whether the strategy is one of the pack, whose callbacks the kernel has as policies."""
    return isinstance(strategy, PackStrategy)


def offers_masks(strategy: Any) -> bool:
    """Tell whether the strategy's signals may be computed from its masks, without DataFrames."""
    return (
        isinstance(strategy, PackStrategy)
        and all(_is(strategy, PackStrategy, name) for name in PACK_SIGNALS)
        and pack_signals_form() == PACK_SIGNALS_FORM
    )


@cache
def pack_form() -> str:
    """Return the fingerprint of PackStrategy's callbacks, comments and docstrings left out."""
    methods = [getattr(PackStrategy, name) for name in (*PACK_CALLBACKS, *PACK_PARTS)]
    return _fingerprint([*methods, base._number, base._Row.__missing__, base._candle_s])


@cache
def pack_signals_form() -> str:
    """Return the fingerprint of how PackStrategy makes DataFrame signals from masks."""
    parts: list[Callable[..., Any]] = [getattr(PackStrategy, name) for name in PACK_SIGNALS]
    parts += [base._arrays, base._numbers, base._tags]
    return _fingerprint(parts)


def _overrides(strategy: Any) -> list[str]:
    reasons = []
    for name in _callable_names():
        if name in FREE or _is(strategy, IStrategy, name):
            continue
        setting = CONDITIONAL.get(name)
        if setting is not None and not getattr(strategy, setting, False):
            continue
        if not (is_pack(strategy) and name in PACK_CALLBACKS and _is(strategy, PackStrategy, name)):
            reasons.append(f"the strategy's own {name}")
    if is_pack(strategy):
        used = (*PACK_CALLBACKS, *PACK_PARTS)
        changed = [name for name in used if not _is(strategy, PackStrategy, name)]
        reasons += [f"the strategy's own {name}" for name in changed]
        if pack_form() not in PACK_FORMS:
            reasons.append("PackStrategy's callbacks, which have changed since the kernel")
    return sorted(set(reasons))


def _settings(strategy: Any) -> list[str]:
    reasons = []
    if getattr(strategy, "use_custom_stoploss", False) and not is_pack(strategy):
        reasons.append("use_custom_stoploss without PackStrategy's custom_stoploss")
    if getattr(strategy, "use_custom_roi", False):
        reasons.append("use_custom_roi")
    if abs(strategy.stoploss) > 1.0:
        reasons.append("a stoploss beyond the whole margin")
    return reasons


def _callable_names() -> list[str]:
    names = {**vars(HyperStrategyMixin), **vars(IStrategy)}
    return sorted(name for name, found in names.items() if callable(found) or _is_property(found))


def _is_property(found: Any) -> bool:
    return isinstance(found, (property, staticmethod, classmethod))


def _is(strategy: Any, owner: type, name: str) -> bool:
    """Tell whether the strategy's `name` is the one of `owner`, by class and by instance."""
    if name in vars(strategy):
        return False
    return inspect.getattr_static(type(strategy), name) is inspect.getattr_static(owner, name)


def _fingerprint(functions: Iterable[Callable[..., Any]]) -> str:
    digest = hashlib.sha256()
    for function in functions:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
                node.body = node.body[1:]
        digest.update(repr(_shape(tree)).encode())
    return digest.hexdigest()[:16]


def _shape(node: Any) -> Any:
    """Return a tree without its empty fields, of which each version of Python has others."""
    if isinstance(node, ast.AST):
        fields = ((name, _shape(part)) for name, part in ast.iter_fields(node))
        return type(node).__name__, *(field for field in fields if field[1] not in (None, []))
    return [_shape(part) for part in node] if isinstance(node, list) else node
