"""What may be traded how: price tick, quantity step, smallest order, and exchangeInfo's rows.

Decides the numbers of each symbol: Binance's own for the symbols listed here, else derived from
the decimals that the data shows. Refuses to know prices. Called by the markets (`rules_for`) and
by `rest` (`exchange_info`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from automation.simulator.candles import Floats

NEVER_MS = 4133404800000  # 2100-12-25: Binance's delivery date of every perpetual
_MOST_DECIMALS = 8
ORDER_TYPES = (
    "LIMIT",
    "MARKET",
    "STOP",
    "STOP_MARKET",
    "TAKE_PROFIT",
    "TAKE_PROFIT_MARKET",
    "TRAILING_STOP_MARKET",
)
TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "GTX", "GTD")


@dataclass(frozen=True, slots=True)
class Rules:
    """Trading rules of one symbol. Prices in quote currency, quantities in base currency."""

    tick: str
    step: str
    price_precision: int
    """Decimals that Binance prints; the tick may be coarser."""
    quantity_precision: int
    min_notional: str = "5"
    min_price: str = ""
    max_price: str = ""
    max_qty: str = "10000000"
    max_market_qty: str = "1000000"
    sub_type: str = "Layer-1"

    @property
    def tick_decimals(self) -> int:
        """Decimals of the price grid."""
        return _decimals_of(self.tick)


# Binance USDT-M futures, exchangeInfo, 2025. Fields in the order of `Rules`.
KNOWN = {
    "BTCUSDT": Rules("0.10", "0.001", 2, 3, "100", "261.10", "809484", "1000", "120", "PoW"),
    "ETHUSDT": Rules("0.01", "0.001", 2, 3, "20", "18.67", "51018.09", "10000", "2000"),
    "SOLUSDT": Rules("0.0100", "0.01", 4, 2, "5", "0.4200", "6857.0000", "1000000", "70000"),
    "XRPUSDT": Rules("0.0001", "0.1", 4, 1, "5", "0.0143", "1000", "10000000", "2000000"),
    "ADAUSDT": Rules("0.00010", "1", 5, 0, "5", "0.01740", "1000", "2000000", "800000"),
    "BNBUSDT": Rules("0.010", "0.01", 3, 2, "5", "6.600", "100000", "100000", "2000"),
    "DOGEUSDT": Rules("0.000010", "1", 6, 0, "5", "0.002440", "30", "50000000", "30000000", "Meme"),
    "LINKUSDT": Rules("0.001", "0.01", 3, 2, "20", "0.320", "1000", "200000", "40000", "Infra"),
    "LTCUSDT": Rules("0.01", "0.001", 2, 3, "20", "3.61", "100000", "10000", "5000", "PoW"),
    "TRXUSDT": Rules("0.00001", "1", 5, 0, "5", "0.00132", "2", "20000000", "5000000"),
}


def rules_for(symbol: str, prices: Floats, volumes: Floats) -> Rules:
    """Rules under which every given price and volume is allowed.

    A symbol that Binance lists gets Binance's rules, made finer where the data is finer (ticks
    have changed over the years); any other symbol gets the decimals of its data.
    """
    price_decimals, quantity_decimals = decimals_in(prices), decimals_in(volumes)
    known = KNOWN.get(symbol)
    if known is None:
        tick, step = _unit(price_decimals), _unit(quantity_decimals)
        return Rules(tick, step, price_decimals, quantity_decimals)
    return _finer(known, price_decimals, quantity_decimals)


def _finer(known: Rules, price_decimals: int, quantity_decimals: int) -> Rules:
    tick, step = known.tick, known.step
    if price_decimals > _decimals_of(tick):
        tick = _unit(price_decimals).ljust(known.price_precision + 2, "0")
    if quantity_decimals > _decimals_of(step):
        step = _unit(quantity_decimals)
    return replace(
        known,
        tick=tick,
        step=step,
        price_precision=max(known.price_precision, price_decimals),
        quantity_precision=max(known.quantity_precision, quantity_decimals),
    )


def decimals_in(numbers: Floats) -> int:
    """Fewest decimals that nearly all numbers have, at most 8; NaN and rounding dirt are ignored."""
    numbers = numbers[np.isfinite(numbers)]
    for decimals in range(_MOST_DECIMALS):
        rounded = np.round(numbers, decimals)
        if np.isclose(rounded, numbers, rtol=1e-12, atol=1e-12).all():
            return decimals
    return _MOST_DECIMALS


def _unit(decimals: int) -> str:
    return f"{10.0**-decimals:.{decimals}f}"


def _decimals_of(text: str) -> int:
    return len(text.partition(".")[2].rstrip("0"))


def exchange_info(symbols: Iterable[dict[str, Any]], now_ms: int) -> dict[str, Any]:
    """Assemble the body of exchangeInfo from rows of `symbol_info`."""
    rows = list(symbols)
    assets = sorted({row["marginAsset"] for row in rows} | {"BNB", "BTC", "USDT"})
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": [
            _limit("REQUEST_WEIGHT", "MINUTE", 1, 2400),
            _limit("ORDERS", "MINUTE", 1, 1200),
            _limit("ORDERS", "SECOND", 10, 300),
        ],
        "exchangeFilters": [],
        "assets": [
            {"asset": asset, "marginAvailable": True, "autoAssetExchange": "-10000"}
            for asset in assets
        ],
        "symbols": rows,
    }


def _limit(kind: str, interval: str, count: int, limit: int) -> dict[str, Any]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": count, "limit": limit}


def symbol_info(
    names: tuple[str, str, str], rules: Rules, onboard_ms: int, status: str
) -> dict[str, Any]:
    """Write one symbol's row of exchangeInfo; `names` are symbol, base and quote."""
    symbol, base, quote = names
    return {
        "symbol": symbol,
        "pair": symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": NEVER_MS,
        "onboardDate": onboard_ms,
        "status": status,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": base,
        "quoteAsset": quote,
        "marginAsset": quote,
        "pricePrecision": rules.price_precision,
        "quantityPrecision": rules.quantity_precision,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [rules.sub_type],
        "settlePlan": 0,
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        "filters": _filters(rules),
        "orderTypes": list(ORDER_TYPES),
        "timeInForce": list(TIMES_IN_FORCE),
    }


def _filters(rules: Rules) -> list[dict[str, Any]]:
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": rules.min_price or rules.tick,
            "maxPrice": rules.max_price or "1000000",
            "tickSize": rules.tick,
        },
        _lot("LOT_SIZE", rules.max_qty, rules.step),
        _lot("MARKET_LOT_SIZE", rules.max_market_qty, rules.step),
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
        {"filterType": "MIN_NOTIONAL", "notional": rules.min_notional},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": "1.0500",
            "multiplierDown": "0.9500",
            "multiplierDecimal": "4",
        },
    ]


def _lot(kind: str, most: str, step: str) -> dict[str, Any]:
    return {"filterType": kind, "minQty": step, "maxQty": most, "stepSize": step}
