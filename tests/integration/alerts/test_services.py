"""Through apprise: e-mail over STARTTLS with login, Twilio's form, a webhook. Real servers."""

import asyncio
import email
import email.policy
import ipaddress
import socket
import ssl
from datetime import UTC, datetime, timedelta
from email.header import decode_header, make_header
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from automation.alerts.channels.services import AppriseChannel
from automation.alerts.notification import Line, Notification, Why
from automation.alerts.rendering import Style, render
from automation.alerts.severity import Severity
from automation.core.errors import ConfigError, TransientError

pytestmark = [
    # apprise and aiosmtpd are others' code; what they warn of is theirs to mend.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def message(bot="m", form="plain"):
    line = Line("ab" * 8, "gone", Severity.HIGH, bot, {"bot": bot}, {"reason": "killed"}, 0)
    note = Notification("mail-1", "mail", Severity.HIGH, Why.NEW, 0, (), (line,), ())
    return render(note, {}, Style("apprise", form, "en", "UTC"))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "cert.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


class Mailbox:
    """Keeps what arrives, and who logged in over what."""

    def __init__(self):
        self.mails = []
        self.logins = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802  aiosmtpd's name
        self.mails.append((envelope, session.ssl is not None))
        return "250 OK"

    def authenticate(self, server, session, envelope, mechanism, auth):
        self.logins.append((auth.login, auth.password, session.ssl is not None))
        return AuthResult(success=auth.password == b"right-pass")


@pytest.fixture
async def smtp(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # the authority that clients trust
    mailbox = Mailbox()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve():
        return SMTP(
            mailbox,
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            auth_require_tls=True,
            authenticator=mailbox.authenticate,
        )

    server = await asyncio.get_running_loop().create_server(serve, "127.0.0.1", 0)
    mailbox.port = server.sockets[0].getsockname()[1]
    yield mailbox
    server.close()


def mail_url(smtp, password="right-pass"):
    return (
        f"mailtos://127.0.0.1:{smtp.port}?user=fleet@example.org&pass={password}&smtp=127.0.0.1"
        "&mode=starttls&from=fleet@example.org&to=ann@example.org"
    )


async def test_mail_goes_over_starttls_with_login(smtp):
    channel = AppriseChannel("mail", mail_url(smtp), timeout_s=5.0)
    assert await channel.send(message()) == "taken"
    [(envelope, is_encrypted)] = smtp.mails
    assert is_encrypted
    assert smtp.logins == [(b"fleet@example.org", b"right-pass", True)]
    assert envelope.rcpt_tos == ["ann@example.org"]
    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert "High: gone" in str(make_header(decode_header(mail["Subject"])))
    body = mail.get_body(("plain",)).get_content()
    assert "reason: killed" in body
    assert "#mail-1" in body


async def test_a_wrong_password_is_worth_another_try_and_is_not_told(smtp):
    channel = AppriseChannel("mail", mail_url(smtp, "wrong-pass"), timeout_s=5.0)
    with pytest.raises(TransientError, match="did not take") as caught:
        await channel.send(message())
    assert "wrong-pass" not in str(caught.value)
    assert smtp.mails == []


@pytest.mark.parametrize("form", ["plain", "html", "markdown"])
async def test_a_line_break_in_a_name_adds_no_header(smtp, form):
    evil = "m\r\nBcc: victim@example.org\r\nX-Evil: 1\r\n\r\ninjected"
    channel = AppriseChannel("mail", mail_url(smtp), timeout_s=5.0)
    await channel.send(message(evil, form))
    [(envelope, _)] = smtp.mails
    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert envelope.rcpt_tos == ["ann@example.org"]
    assert mail["Bcc"] is None
    assert mail["X-Evil"] is None


async def test_a_bots_name_is_no_markup_in_a_mail(smtp):
    channel = AppriseChannel("mail", mail_url(smtp), timeout_s=5.0)
    await channel.send(message("<script>alert(1)</script><img src=x>", "html"))
    [(envelope, _)] = smtp.mails
    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    shown = mail.get_body(("html",)).get_content()
    assert "<script" not in shown
    assert "<img" not in shown
    assert "&lt;script&gt;" in shown


@pytest.fixture
async def http():
    """A server that keeps every POST."""
    kept = []

    async def take(request):
        kept.append((request.path, request.headers, await request.text()))
        answer = {"sid": "SM1", "status": "queued"}
        return web.json_response(answer, status=201 if "Accounts" in request.path else 200)

    app = web.Application()
    app.router.add_post("/{tail:.*}", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    kept_at = f"127.0.0.1:{runner.addresses[0][1]}"
    yield kept, kept_at
    await runner.cleanup()


async def test_an_sms_has_twilios_form(http, monkeypatch):
    from apprise.plugins.twilio import NotifyTwilio

    kept, address = http
    path = "/2010-04-01/Accounts/{sid}/Messages.json"
    monkeypatch.setattr(NotifyTwilio, "notify_sms_url", f"http://{address}{path}")
    sid, token = "AC" + "0" * 32, "1" * 32
    channel = AppriseChannel(
        "sms", f"twilio://{sid}:{token}@15551234567/15557654321", timeout_s=5.0
    )
    await channel.send(message())
    [(called, headers, body)] = kept
    form = parse_qs(body)
    assert called == f"/2010-04-01/Accounts/{sid}/Messages.json"
    assert headers["Authorization"].startswith("Basic ")
    assert form["From"] == ["+15551234567"]
    assert form["To"] == ["+15557654321"]
    assert "bot: m, reason: killed" in form["Body"][0]


async def test_a_webhook_gets_json(http):
    kept, address = http
    channel = AppriseChannel("hook", f"json://{address}/alerts", timeout_s=5.0)
    await channel.send(message())
    [(called, _, body)] = kept
    assert called == "/alerts"
    assert "reason: killed" in body


async def test_a_service_that_never_answers_is_left_after_the_time_out():
    never = socket.create_server(("127.0.0.1", 0))  # takes connections and never answers
    port = never.getsockname()[1]
    channel = AppriseChannel("hook", f"json://127.0.0.1:{port}/", timeout_s=0.5)
    with pytest.raises(TransientError):
        await channel.send(message())
    never.close()


def test_an_address_that_apprise_does_not_know_is_refused():
    with pytest.raises(ConfigError, match=r"channels\.x\.url: apprise does not know"):
        AppriseChannel("x", "nosuch://thing", timeout_s=1.0)
