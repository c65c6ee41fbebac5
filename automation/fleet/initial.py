"""Writes a fleet file from a few answers: `freqfleet init`.

What it writes passes the same loader as any other. Refuses to ask: the command line does that.
"""

from dataclasses import dataclass
from enum import StrEnum

import yaml

from automation.core.config import Fleet, Profile
from automation.core.errors import ConfigError


class VenueChoice(StrEnum):
    """Where a new fleet shall trade."""

    SIMULATOR = "simulator"
    BINANCE_DRY_RUN = "binance-dry-run"
    BINANCE_LIVE = "binance-live"


@dataclass(frozen=True, slots=True)
class InitAnswers:
    """What `freqfleet init` asks."""

    venue: VenueChoice = VenueChoice.SIMULATOR
    profile: Profile = Profile.MODERATE
    capital_usdt: float = 10_000.0
    name: str = "main"


_TREND_PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT")
_PULLBACK_PAIRS = ("BNB/USDT:USDT", "XRP/USDT:USDT", "ADA/USDT:USDT")

_HEADS = {
    VenueChoice.SIMULATOR: "# Two bots in dry-run on an exchange simulator: no account, no network.",
    VenueChoice.BINANCE_DRY_RUN: "# Two bots in dry-run on Binance's live prices: no account, no orders.",
    VenueChoice.BINANCE_LIVE: (
        "# Two bots with REAL MONEY on Binance. They start only with `freqfleet up --live` and a\n"
        "# phrase that you type. The key needs futures trading, never withdrawal; put key and\n"
        "# secret into the two environment variables below."
    ),
}


def init_fleet(answers: InitAnswers) -> str:
    """Write a fleet file that loads as it is; ConfigError when the answers do not fit together."""
    if not answers.capital_usdt > 0:
        raise ConfigError("capital must be more than 0 USDT", where="capital")
    document = _document(answers)
    try:
        Fleet.model_validate(document)
    except ValueError as error:
        raise ConfigError(f"these answers make no fleet: {error}", where="init") from None
    body = yaml.safe_dump(document, sort_keys=False, width=100, allow_unicode=True)
    return f"# yaml-language-server: $schema=fleet.schema.json\n{_HEADS[answers.venue]}\n{body}"


def _document(answers: InitAnswers) -> dict[str, object]:
    is_live = answers.venue is VenueChoice.BINANCE_LIVE
    defaults: dict[str, object] = {
        "profile": str(answers.profile),
        "capital_usdt": _half(answers.capital_usdt),
    }
    exchange: dict[str, object] = {"venue": "binance"}
    if answers.venue is VenueChoice.SIMULATOR:
        exchange["venue"] = "simulator"
    if is_live:
        defaults |= {"mode": "live", "account": "main"}
        exchange["accounts"] = {
            "main": {
                "key": "env:BINANCE_KEY",
                "secret": "env:BINANCE_SECRET",
                "capital_usdt": answers.capital_usdt,
            }
        }
    trend = ("trend", "TrendFollowingStrategy", _TREND_PAIRS)
    pullback = ("pullback", "FuturesAIRiskStrategy", _PULLBACK_PAIRS)
    bots = [
        {"name": name, "strategy": strategy, "pairs": list(pairs)}
        for name, strategy, pairs in (trend, pullback)
    ]
    return {"fleet": answers.name, "exchange": exchange, "defaults": defaults, "bots": bots}


def _half(capital_usdt: float) -> float:
    # Rounded down to cents: two halves must never be more than the whole.
    return int(capital_usdt * 50) / 100
