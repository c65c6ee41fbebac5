"""The same on PackStrategy: its risk columns come from the volume's higher bits."""

from typing import Any, ClassVar

import numpy as np

from tradekit.base import PackStrategy
from tradekit.signals import Rule


class PackProbeStrategy(PackStrategy):
    """Does what the test's market says; risk columns are drawn per candle."""

    startup_candle_count = 0
    protections: ClassVar[list[dict[str, Any]]] = []

    def columns(self, candles: Any) -> Any:
        code = candles["volume"].astype(np.int64)
        risk = code >> 6
        stop = 0.004 * (1 + (risk & 15)) * np.where(risk & 256, np.nan, 1.0)
        return {
            "code": code.astype(np.float64),
            "stop_dist_frac": stop,
            "leverage_cap": 1.0 + 0.75 * (risk >> 4 & 15),
            "risk_scale": np.where(risk >> 8 & 2, 0.5, 1.0),
        }

    @staticmethod
    def entries(c: Any, p: Any) -> Any:  # noqa: ARG004
        code = c["code"].astype(np.int64)
        return [
            Rule("long", "tagged", code & 17 == 17),
            Rule("long", "up", code & 1 != 0),
            Rule("short", "down", code & 4 != 0),
        ]

    @staticmethod
    def exits(c: Any, p: Any) -> Any:  # noqa: ARG004
        code = c["code"].astype(np.int64)
        return [
            Rule("long", "left", code & 2 != 0),
            Rule("short", "covered", code & 8 != 0),
        ]
