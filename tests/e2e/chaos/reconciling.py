"""What a person does who is told that bot and exchange differ: have the bot look, trade the rest away.

No Freqtrade finds out by itself about an order whose answer was lost, or that it could not write down.
"""

import time
from contextlib import suppress

from tests.e2e.chaos.exchange import BOTS
from tests.e2e.chaos.world import World

LOOKS = 3
TOLD_WITHIN_S = 60.0


def reconcile(world: World) -> None:
    """Mend every account that differs from its bot, unless the bot itself finds out.

    The supervisor must have told of it.
    """
    for name in BOTS:
        deadline = time.monotonic() + TOLD_WITHIN_S
        while (is_different := bool(differs(world, name))) and not is_told(world, name):
            if time.monotonic() > deadline:
                sentence = f"{name} does not know its position and nobody was told"
                world.violations.append(sentence)
                break
        if is_different:
            mend(world, name)


def differs(world: World, name: str) -> float:
    """Give what an account holds beyond what its bot knows of, if that lasts."""
    found = []
    for _ in range(LOOKS):
        if (amount := _excess(world, name)) is not None:
            found.append(amount)
        if found and not found[-1]:
            return 0.0
        time.sleep(0.7)
    return found[0] if len(found) == LOOKS and len(set(found)) == 1 else 0.0


def mend(world: World, name: str) -> None:
    """Have the bot look again; what it then does not know of is traded away."""
    for _ in range(10):
        with suppress(OSError):
            for trade in world.ask(name, "status"):
                world.ask(name, f"trades/{trade['trade_id']}/reload", "POST")
        time.sleep(2)
        excess = differs(world, name)
        if not excess:
            return
        with suppress(OSError):
            if excess > 0:
                world.exchange.trade_away(name, excess)


def _excess(world: World, name: str) -> float | None:
    with suppress(OSError, ValueError):
        trades, size = world.ask(name, "status"), world.exchange.position(name)
        orders = [order for trade in trades for order in trade["orders"] if order["is_open"]]
        if size is not None and all(o["ft_order_side"] == "stoploss" for o in orders):
            return round(size - sum(trade["amount"] for trade in trades), 6)
    return None


def is_told(world: World, name: str) -> bool:
    """Tell whether the journal says so at present, or the bot is held because its trades are others."""
    said = world.journal("bot.positions_differ", "bot.positions_agree", bot=name)
    bot = world.bot(name)
    is_held = bot is not None and any("before the restart" in hold for hold in bot.holds)
    return is_held or [event.kind for event in said[-1:]] == ["bot.positions_differ"]
