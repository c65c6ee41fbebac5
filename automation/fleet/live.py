"""Real money is asked for: which live bots still need a person's word, and the record of it.

A bot that trades live at the exchange is confirmed once, with everything that matters about it; any
change asks again, and so does a bot that was taken out of the fleet and put back. Live mode on the
simulator moves no money and asks nobody. Pure but for `live.json`. The command line does the asking.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import orjson

from automation.core.config import Bot, Fleet, Mode, Venue
from automation.core.errors import ConfigError
from automation.fleet.home import Home, read_json, write_json


@dataclass(frozen=True, slots=True)
class LiveQuestion:
    """What a person has to confirm before these bots may start."""

    bots: tuple[Bot, ...]
    phrase: str  # to be typed, letter for letter

    @property
    def capital_usdt(self) -> float:
        """The money at stake."""
        return sum(bot.capital_usdt for bot in self.bots)

    def sentences(self) -> tuple[str, ...]:
        """Say what each bot would do."""
        return tuple(
            f"{bot.name} will trade {bot.capital_usdt:g} USDT of account {bot.account} live with "
            f"{bot.strategy} on {', '.join(bot.pairs) or 'the pairs of its configurations'}"
            for bot in self.bots
        )


def live_bots(fleet: Fleet) -> tuple[Bot, ...]:
    """Name the bots that would move real money."""
    if fleet.exchange.venue is Venue.SIMULATOR:
        return ()
    return tuple(bot for bot in fleet.bots if bot.mode is Mode.LIVE)


def live_question(fleet: Fleet, home: Home) -> LiveQuestion | None:
    """Tell what is still to be confirmed; None when nothing is."""
    confirmed = read_json(home.live).get("confirmed", {})
    new = tuple(b for b in live_bots(fleet) if confirmed.get(b.name) != fingerprint(fleet, b))
    if not new:
        return None
    capital = sum(bot.capital_usdt for bot in new)
    return LiveQuestion(new, f"trade {capital:g} USDT live")


def confirm_live(
    fleet: Fleet, home: Home, typed: str, *, has_live_option: bool, at: datetime
) -> None:
    """Record that a person confirmed what `live_question` asked.

    Raises ConfigError without `--live`, and when the typed phrase is another.
    """
    question = live_question(fleet, home)
    _require_option(fleet, has_live_option)
    if question is None:
        return
    if typed.strip() != question.phrase:
        raise ConfigError("that is not the phrase, so nothing was started", where="up --live")
    names = live_bots(fleet)
    # Only what is live now stays confirmed: a bot that comes back is new.
    document = {
        "confirmed": {bot.name: fingerprint(fleet, bot) for bot in names},
        "at": at.isoformat(),
    }
    write_json(home.live, document)


def check_live(fleet: Fleet, home: Home, *, has_live_option: bool) -> LiveQuestion | None:
    """Tell what has to be asked before `up`; ConfigError when live bots lack `--live`."""
    _forget_absent(fleet, home)
    question = live_question(fleet, home)
    if question is not None:
        _require_option(fleet, has_live_option)
    return question


def refuse_unconfirmed(fleet: Fleet, home: Home) -> None:
    """Raise ConfigError when a live bot was not confirmed: the supervisor's own last look."""
    question = live_question(fleet, home)
    if question is not None:
        names = ", ".join(bot.name for bot in question.bots)
        raise ConfigError(
            f"live trading was not confirmed for {names}",
            where="fleet file",
            cure="run freqfleet up --live in a terminal and type the phrase",
        )


def fingerprint(fleet: Fleet, bot: Bot) -> str:
    """Condense everything about a live bot that a person confirmed."""
    account = fleet.exchange.accounts.get(bot.account or "")
    said = bot.model_dump(mode="json", exclude={"resources", "api_port", "starts", "telegram"})
    said["account_key"] = account.key if account else ""
    said["margin_mode"] = fleet.exchange.margin_mode
    return sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _require_option(fleet: Fleet, has_live_option: bool) -> None:
    if has_live_option or not live_bots(fleet):
        return
    names = ", ".join(bot.name for bot in live_bots(fleet))
    raise ConfigError(
        f"{names} would trade real money",
        where="fleet file",
        cure="add --live to freqfleet up if that is meant, else set mode: dry-run",
    )


def _forget_absent(fleet: Fleet, home: Home) -> None:
    written = read_json(home.live)
    confirmed = written.get("confirmed", {})
    present = {bot.name for bot in live_bots(fleet)}
    if set(confirmed) - present:
        kept = {name: mark for name, mark in confirmed.items() if name in present}
        write_json(home.live, written | {"confirmed": kept})
