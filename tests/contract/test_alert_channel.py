"""What every channel of the alerts must do, whoever implements it, against a server that answers.

Telegram, Slack and Discord are our own; e-mail, Twilio and the webhook go through apprise, which
says only yes or no: there a wait that was asked for is not known, and every no is worth another try.
"""

import asyncio
import email
import email.policy
from collections import deque
from urllib.parse import parse_qs

import orjson
import pytest
from aiohttp import web

from automation.alerts.channels.http import new_client
from automation.alerts.channels.services import AppriseChannel
from automation.alerts.channels.telegram import TelegramApi, TelegramChannel
from automation.alerts.channels.webhooks import DiscordChannel, SlackChannel
from automation.alerts.notification import Line, Notification, Why
from automation.alerts.receivers import TOKEN, Receivers
from automation.alerts.rendering import Style, render
from automation.alerts.severity import Severity
from automation.core.errors import DependencyError, PermanentError, TransientError
from tests.integration.alerts.test_services import certificate, mail_url, smtp  # noqa: F401

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
TIMEOUT_S = 1.5
EVIL = "b<script>*x*_y_`z`[l](http://e.vil)\r\nBcc: v@e.vil\r\n\r\n{{ 7*191 }}</b>&amp;"
SECRETS = (TOKEN, "T0secretB0secret", "secretsecret", "right-pass", "1" * 32)


class Ours:
    """One of our three channels before its stand-in."""

    asks_to_wait = refuses_for_good = True

    def __init__(self, kind, client, receivers):
        self.kind, self.receivers = kind, receivers
        url = receivers.url
        made = {
            "telegram": lambda: TelegramChannel(
                TelegramApi(client, TOKEN, base_url=url, timeout_s=TIMEOUT_S), "7"
            ),
            "slack": lambda: SlackChannel(
                client, "https://hooks.slack.com/services/T0secretB0secret", base_url=url,
                timeout_s=TIMEOUT_S,
            ),
            "discord": lambda: DiscordChannel(
                client, "https://discord.com/api/webhooks/1/secretsecret", base_url=url,
                timeout_s=TIMEOUT_S,
            ),
        }  # fmt: skip
        self.channel = made[kind]()

    def answer(self, status, wait_s=0.0):
        self.receivers.answers.append((status, wait_s))

    def hang(self):
        self.receivers.hang_s = 5.0

    def taken(self):
        return self.receivers.texts


class Posted:
    """A service of apprise's that is spoken to over HTTP."""

    asks_to_wait = refuses_for_good = False

    def __init__(self, kind):
        self.kind, self.answers, self.bodies, self.hang_s = kind, deque(), [], 0.0

    async def take(self, request):
        if self.hang_s:
            await asyncio.sleep(self.hang_s)
        status = self.answers.popleft() if self.answers else 201
        if status < 300:
            self.bodies.append(await request.text())
        return web.json_response({"sid": "SM1", "status": "queued"}, status=status)

    async def start(self, monkeypatch):
        app = web.Application()
        app.router.add_post("/{tail:.*}", self.take)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        address = f"127.0.0.1:{self.runner.addresses[0][1]}"
        if self.kind == "twilio":
            from apprise.plugins.twilio import NotifyTwilio

            path = "/2010-04-01/Accounts/{sid}/Messages.json"
            monkeypatch.setattr(NotifyTwilio, "notify_sms_url", f"http://{address}{path}")
            url = f"twilio://AC{'0' * 32}:{'1' * 32}@15551234567/15557654321"
        else:
            url = f"json://fleet:right-pass@{address}/alerts"
        self.channel = AppriseChannel(self.kind, url, timeout_s=TIMEOUT_S)

    def answer(self, status, wait_s=0.0):
        self.answers.extend([status] * 3)  # apprise may try again by itself

    def hang(self):
        self.hang_s = 5.0

    def taken(self):
        if self.kind == "twilio":
            return [parse_qs(body)["Body"][0] for body in self.bodies]
        return [orjson.loads(body)["message"] for body in self.bodies]


class Mailed:
    """E-mail through apprise, over STARTTLS with login."""

    kind, asks_to_wait, refuses_for_good = "mail", False, False

    def __init__(self, mailbox):
        self.mailbox, self.reply, self.hang_s = mailbox, "", 0.0
        self.channel = AppriseChannel("mail", mail_url(mailbox), timeout_s=TIMEOUT_S)
        keep = mailbox.handle_DATA

        async def take(server, session, envelope):
            if self.hang_s:
                await asyncio.sleep(self.hang_s)
            return self.reply or await keep(server, session, envelope)

        mailbox.handle_DATA = take

    def answer(self, status, wait_s=0.0):
        self.reply = {429: "451 try again later", 500: "451 local error"}.get(status, "554 refused")

    def hang(self):
        self.hang_s = 3.0

    def taken(self):
        mails = (email.message_from_bytes(e.content, policy=email.policy.default)
                 for e, _ in self.mailbox.mails)  # fmt: skip
        return [mail.get_body(("plain", "html")).get_content() for mail in mails]


@pytest.fixture(params=["telegram", "slack", "discord", "mail", "twilio", "webhook"])
async def place(request, monkeypatch, smtp):  # noqa: F811
    if request.param == "mail":
        yield Mailed(smtp)
    elif request.param in {"twilio", "webhook"}:
        made = Posted(request.param)
        await made.start(monkeypatch)
        yield made
        await made.runner.cleanup()
    else:
        async with Receivers() as receivers, new_client() as client:
            yield Ours(request.param, client, receivers)


def message(kind, bot="m", form="plain"):
    line = Line("ab" * 8, "gone", Severity.HIGH, bot, {"bot": bot}, {"reason": f"killed {bot}"}, 0)
    note = Notification("c-1", "c", Severity.HIGH, Why.NEW, 0, (), (line,), ())
    type_ = kind if kind in {"telegram", "slack", "discord"} else "apprise"
    forms = {"slack": "markdown", "discord": "markdown"}
    return render(note, {}, Style(type_, forms.get(kind, form), "en", "UTC"))


async def sent(place, **what):
    return await place.channel.send(message(place.kind, **what))


async def test_a_message_arrives_with_its_facts_and_its_name(place):
    await sent(place)
    (text,) = place.taken()
    shown = text.replace("\\", "")
    assert "killed m" in shown
    assert "#c-1" in shown


async def test_who_does_not_answer_is_left_in_time(place):
    place.hang()
    async with asyncio.timeout(30):
        with pytest.raises(TransientError):
            await sent(place)


async def test_who_wants_to_be_left_alone_is_worth_another_try_later(place):
    place.answer(429, 7.0)
    with pytest.raises(TransientError) as caught:
        await sent(place)
    if place.asks_to_wait:
        assert caught.value.retry_after_s == 7.0


async def test_who_fails_is_worth_another_try(place):
    place.answer(500)
    with pytest.raises(TransientError):
        await sent(place)


async def test_who_refuses_is_told_apart_where_that_can_be_known(place):
    place.answer(403)
    with pytest.raises(PermanentError if place.refuses_for_good else DependencyError):
        await sent(place)


@pytest.mark.parametrize("status", [403, 429, 500])
async def test_no_secret_is_told_with_an_error(place, status):
    place.answer(status, 1.0)
    with pytest.raises(DependencyError) as caught:
        await sent(place)
    told = f"{caught.value}{caught.value.__cause__}{caught.value.__context__}"
    assert not any(secret in told for secret in SECRETS)


@pytest.mark.parametrize("form", ["plain", "html"])
async def test_what_events_say_stays_text(place, form):
    if form == "html" and place.kind in {"slack", "discord", "twilio"}:
        form = "plain"
    await sent(place, bot=EVIL, form=form)
    (text,) = place.taken()
    assert "1337" not in text  # the template in the name was not run
    assert "191" in text
    if place.kind == "slack":
        assert "<script" not in text
        assert "*x*" not in text
    if place.kind == "discord":
        assert "*x*" not in text.replace("\\*", "")
    if form == "html" and place.kind != "mail":
        assert "<script" not in text
    if place.kind == "mail":
        ((envelope, _),) = place.mailbox.mails
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        shown = mail.get_body(("html", "plain"))
        is_html = shown.get_content_type() == "text/html"
        assert not (is_html and "<script" in shown.get_content())
        assert mail["Bcc"] is None
        assert envelope.rcpt_tos == ["ann@example.org"]


async def test_many_messages_all_arrive(place):
    for n in range(8):
        await sent(place, bot=f"m{n}")
    texts = place.taken()
    assert len(texts) == 8
    assert {n for n in range(8) for text in texts if f"killed m{n}" in text.replace("\\", "")} == {
        *range(8)
    }
