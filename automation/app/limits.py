"""Writes down what bounds each bot's risk, and what of it changed since the fleet was last up.

For the report that auditors read: who raised a limit, when, from what to what. Called by `fleets`.
"""

from automation.core.config import Bot, Fleet
from automation.fleet.commands import actor
from automation.journal import Facts, Journal, Query, define

KIND = "fleet.limits"


class RiskLimits(Facts):
    """What bounds the risk of each bot was changed, in the fleet file."""

    limits: dict[str, dict[str, str]]
    """Bot to its limits, as text."""
    changed: tuple[str, ...]


define(
    KIND,
    RiskLimits,
    lambda event, said: f"{event.actor} changed limits: {'; '.join(said.changed)}",
    topics=["risk limit"],
)


def note_limits(journal: Journal, fleet: Fleet, who: str = "") -> None:
    """Append the limits of every bot when they are not what they were."""
    now = {bot.name: limits_of(bot) for bot in fleet.bots}
    last = [one for one in journal.tail(1, Query(kind=KIND)) if not one.is_sealed]
    was = last[0].payload["limits"] if last else {}
    if now != was:
        said = RiskLimits(limits=now, changed=tuple(changes(was, now)))
        journal.post(KIND, actor=who or actor(), source="fleet", payload=said)


def limits_of(bot: Bot) -> dict[str, str]:
    """Give what bounds a bot's risk, by the names of the fleet file."""
    names = ("mode", "profile", "capital_usdt", "stake_usdt", "max_open_trades")
    return {name: str(getattr(bot, name)) for name in names}


def changes(was: dict[str, dict[str, str]], now: dict[str, dict[str, str]]) -> list[str]:
    """Tell the difference, one sentence a limit."""
    told = [f"{bot} is gone" for bot in was if bot not in now]
    for bot, limits in now.items():
        if bot not in was:
            told.append(f"{bot} is new ({', '.join(f'{n} {v}' for n, v in limits.items())})")
            continue
        told += [
            f"{bot}: {name} from {was[bot].get(name, 'nothing')} to {value}"
            for name, value in limits.items()
            if was[bot].get(name) != value
        ]
    return told
