"""A bot's REST API over one aiohttp session that all bots share.

Decides what a failure means: silence is a `TransientError`, a refused login a `LoginRefused`, any
other answer but success a `PermanentError`. Refuses to know what the answers mean (`probe`).
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import aiohttp
import orjson

from automation.core.errors import PermanentError, TransientError
from automation.fleet.credentials import ApiAccess

LARGEST_ANSWER_BYTES = 20_000_000


class LoginRefused(PermanentError):
    """The API answered, but not to this user name and password."""


class HttpBotApi:
    """Freqtrade's REST API, spoken over HTTP."""

    def __init__(
        self, session: aiohttp.ClientSession, access: ApiAccess, timeout_s: float = 5.0
    ) -> None:
        """Use `session`, which the caller opens and closes."""
        self._session, self._base = session, f"{access.url}/api/v1"
        login = aiohttp.encode_basic_auth(access.username, access.password)
        self._login = {"Authorization": login}
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    async def ping(self) -> None:
        """Return when it answers; TransientError when it does not."""
        await self._call("GET", "ping", headers={})

    async def get(self, path: str, **params: str | int) -> Any:
        """Read `/api/v1/<path>`; TransientError when silent, LoginRefused when not let in."""
        return await self._call("GET", path, params=params, headers=self._login)

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Write to `/api/v1/<path>`; errors as `get`."""
        return await self._call("POST", path, json=body, headers=self._login)

    async def delete(self, path: str) -> Any:
        """Delete `/api/v1/<path>`; errors as `get`."""
        return await self._call("DELETE", path, headers=self._login)

    async def _call(
        self, method: str, path: str, *, headers: Mapping[str, str], **options: Any
    ) -> Any:
        url = f"{self._base}/{path}"
        try:
            async with self._session.request(
                method,
                url,
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
                **options,
            ) as answer:
                content = await read_whole(answer, LARGEST_ANSWER_BYTES)
                return _understand(path, answer.status, content)
        except TimeoutError:
            raise TransientError(f"{path} took over {self._timeout.total:g} s") from None
        except aiohttp.ClientConnectorError as error:
            raise TransientError(f"nothing listens ({_cause(error)})") from None
        except aiohttp.ClientError as error:
            raise TransientError(f"{path} broke off ({_cause(error)})") from None


_BRIEF = aiohttp.ClientTimeout(total=1.0)


class SimulatorApi:
    """The one thing that supervision asks of the simulator."""

    def __init__(self, session: aiohttp.ClientSession, url: str, timeout_s: float = 5.0) -> None:
        """Use `session`, which the caller opens and closes."""
        self._session, self._url = session, f"{url}/fapi/v1/ping"
        self._beside = f"{url}/admin/faults"
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self.oldest_s = 0.0
        """How long the slowest signed request before the last ping was on its way, served time."""

    async def ping(self) -> None:
        """Return when it answers; TransientError when it does not.

        A scenario may have the exchange refuse or drop every request. Its interface for that is
        beside the exchange and tells that the process is well: a simulator that is started again
        would have lost all accounts.
        """
        problem = await self._fails(self._url, self._timeout)
        if problem and await self._fails(self._beside, _BRIEF, lives=(200, 403)):
            raise TransientError(problem)

    async def _fails(
        self, url: str, within: aiohttp.ClientTimeout, lives: tuple[int, ...] = (200,)
    ) -> str:
        try:
            async with self._session.get(url, timeout=within) as answer:
                if answer.status not in lives:
                    return f"ping answered {answer.status}"
                if url == self._url:
                    self.oldest_s = int(answer.headers.get("X-Oldest-Request-MS", "0")) / 1000
        except (TimeoutError, aiohttp.ClientError) as error:
            return f"ping failed ({_cause(error)})"
        return ""


def open_session() -> aiohttp.ClientSession:
    """Open the session that all units share; the loopback needs no proxy and keeps no cookies."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=None, keepalive_timeout=60),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=True,
    )


async def read_whole(answer: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """Read an answer to its end, or as much of it as may come."""
    content = bytearray()
    async for chunk in answer.content.iter_any():  # one read gives what is there, not all
        content += chunk
        if len(content) >= most_bytes:
            break
    return bytes(content[:most_bytes])


async def close_session(session: aiohttp.ClientSession) -> None:
    """Close the session and let its sockets go."""
    await session.close()
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)


def _understand(path: str, status: int, content: bytes) -> Any:
    if status in (401, 403):
        raise LoginRefused(
            f"its API refuses the password in the state folder ({path})",
            cure="freqfleet bot restart gives both the same one",
        )
    if status >= 500:
        raise TransientError(f"{path} answered {status}: {_short(content)}")
    if status != 200:
        raise PermanentError(f"{path} answered {status}: {_short(content)}")
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        raise TransientError(f"{path} answered no JSON: {_short(content)}") from None


def _short(content: bytes) -> str:
    text = " ".join(content[:200].decode("utf-8", "replace").split())
    return text or "nothing"


def _cause(error: BaseException) -> str:
    os_error = getattr(error, "os_error", None)
    return str(os_error.strerror or os_error) if os_error else (str(error) or type(error).__name__)
