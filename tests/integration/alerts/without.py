"""Takes one guard away, named by FREQFLEET_WITHOUT, to see whether the suite notices.

Loaded by pytest (`-p without`) and by serve_alerts.py.
"""

import dataclasses
import os

from automation.alerts import (
    breaker,
    core,
    delivery,
    dialects,
    mutes,
    rendering,
    service,
    speaking,
    speeches,
    steadytime,
)
from automation.alerts.channels import http


def outbox():
    """Send straight away, and remember in memory alone what is still to be sent."""
    commit = service.AlertService._commit

    async def unwritten(self, step):
        self._unsent = getattr(self, "_unsent", [])
        self._unsent += step.notifications
        await commit(self, dataclasses.replace(step, notifications=()))
        for notification in list(self._unsent):
            await self._send_directly(notification)
            self._unsent.remove(notification)

    service.AlertService._commit = unwritten


def dedup():
    """Tell what was told already as if it were new."""

    def see(seen, group, alert, mute):
        if mute is None:
            seen.firing.append(alert)
            seen.new.append(alert.id)

    speeches._see_firing = see


def inhibition():
    """Let nothing mute anything else."""
    mutes.Mutes._inhibitors = lambda _self, _alert: iter(())


def silence():
    """Overhear silences."""
    mutes.Mutes._silence = lambda _self, _alert: None


def quiet_hours():
    """Know no night."""
    mutes.Mutes._quiet_until_us = lambda *_: None


def back_off():
    """Try again at once, whatever the other side asked."""
    breaker.Breaker.pause_s = lambda *_args, **_named: 0.0
    breaker.Breaker.waits_s = lambda _self, _now_s: 0.0
    http.wait_s = lambda _response: 0.0


def breaker_itself():
    """Never count a channel as broken."""
    breaker.Breaker.fails = lambda *_args, **_named: False


def hasten():
    """Let what failed wait out its pause, although the channel works again."""

    async def nothing(_self):
        return None

    delivery.Courier._hasten = nothing


def limit():
    """Let a channel be flooded."""
    give = speaking._Floor.give

    def unlimited(self, channel, speeches_):
        for speech in speeches_:
            give(self, channel, [speech])

    speaking._Floor.give = unlimited
    speaking._Floor._gathering = lambda _self, _channel: []


def fallback():
    """Leave what fails to nobody."""
    delivery.Courier._gives_way = lambda *_: False


def escape():
    """Believe what events say to be harmless."""
    plain = dataclasses.replace
    for key, dialect in dialects._BY_CHANNEL.items():
        dialects._BY_CHANNEL[key] = plain(dialect, escape=lambda text: text)


def plain_facts():
    """Let a broken template break the message."""
    rendering.TEMPLATE_FAULTS = ()


def taken():
    """Forget which events something was made of already."""
    fold = core.apply

    def forgetful(state, *args, cause=None, **named):
        fold(state, *args, **named)

    core.apply = forgetful


def steady_time():
    """Believe the wall clock."""
    steadytime.SteadyTime.now_us = lambda self: steadytime.us_of(self._clock.now())


GUARDS = {
    guard.__name__: guard
    for guard in (
        outbox, dedup, inhibition, silence, quiet_hours, back_off, breaker_itself, hasten, limit, fallback,
        escape, plain_facts, taken, steady_time,
    )
}  # fmt: skip

if os.environ.get("FREQFLEET_WITHOUT"):
    GUARDS[os.environ["FREQFLEET_WITHOUT"]]()
