"""Turns what a bot's API answers into the facts that the upper rungs are judged by.

Pure; errors (KeyError, TypeError, ValueError) mean that it answers as no Freqtrade does. Called by
the probe.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from automation.core.vitals import OpenOrder, OpenTrade, Vitals

_UNITS_S = {"seconds": 1.0, "minutes": 60.0}
_SIGNALS = frozenset({"enter_long", "enter_short"})


def with_config(vitals: Vitals, config: Mapping[str, Any]) -> Vitals:
    """Note what `show_config` says of stops and order time-outs."""
    is_live = not config.get("dry_run", True)
    timeout = config.get("unfilledtimeout") or {}
    unit_s = _UNITS_S.get(str(timeout.get("unit", "minutes")), 60.0)
    limits = [float(timeout[side]) for side in ("entry", "exit") if timeout.get(side)]
    return replace(
        vitals,
        needs_stops=is_live and bool(config.get("stoploss_on_exchange")),
        order_limit_s=max(limits) * unit_s if limits else None,
    )


def with_trades(vitals: Vitals, opened: Sequence[Mapping[str, Any]], now_s: float) -> Vitals:
    """Note the open trades and orders that `status` lists."""
    orders = [order for trade in opened for order in _open_orders(trade)]
    trades = tuple(_trade(trade) for trade in opened)
    return replace(vitals, trades=trades, orders=tuple(orders), seen_s=now_s)


def with_candle(
    vitals: Vitals, pair: str, answer: Mapping[str, Any], pairs: Sequence[str], candle_s: float
) -> Vitals:
    """Note the last candle of a pair, and when its signals were computed (`pair_candles`)."""
    candles, analyzed = dict(vitals.candles), dict(vitals.analyzed)
    lacking = vitals.without_signals
    if answer.get("length"):
        opened_ms = answer["data"][-1][answer["columns"].index("__date_ts")]
        candles[pair] = opened_ms / 1000 + candle_s
        if answer.get("last_analyzed_ts"):
            analyzed[pair] = float(answer["last_analyzed_ts"])
        columns = answer.get("all_columns")
        has_signals = not columns or bool(_SIGNALS & set(columns))
        lacking = "" if has_signals and lacking == pair else lacking if has_signals else pair
    return replace(
        vitals,
        candles=tuple((p, c) for p, c in candles.items() if p in pairs),
        analyzed=tuple((p, a) for p, a in analyzed.items() if p in pairs),
        without_signals=lacking if lacking in pairs else "",
    )


def _trade(trade: Mapping[str, Any]) -> OpenTrade:
    filled_ms = trade.get("open_fill_timestamp")
    return OpenTrade(
        trade_id=int(trade["trade_id"]),
        opened_ms=int(trade["open_timestamp"]),
        pair=str(trade["pair"]),
        is_short=bool(trade.get("is_short")),
        amount=float(trade.get("amount") or 0.0),
        has_stop=any(
            o.get("is_open") and o.get("ft_order_side") == "stoploss"
            for o in trade.get("orders") or ()
        ),
        filled_epoch_s=float(filled_ms) / 1000 if filled_ms else None,
    )


def _open_orders(trade: Mapping[str, Any]) -> list[OpenOrder]:
    return [
        OpenOrder(
            trade_id=int(trade["trade_id"]),
            pair=str(trade["pair"]),
            is_entry=order["ft_order_side"] == ("sell" if trade.get("is_short") else "buy"),
            placed_epoch_s=float(order.get("order_timestamp") or trade["open_timestamp"]) / 1000,
        )
        for order in trade.get("orders") or ()
        if order.get("is_open") and order.get("ft_order_side") != "stoploss"
    ]
