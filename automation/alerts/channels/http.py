"""One POST of JSON, and what its answer means; addresses with secrets in them are never told.

Shared by the channels of our own. 429 is obeyed, wherever the wait is written.
"""

import logging
from typing import Any
from urllib.parse import urlsplit

import httpx

from automation.core.errors import PermanentError, TransientError

LONGEST_WAIT_S = 3600.0
LEAST_WAIT_S = 0.1
"""A 429 that asks for no wait at all still gets one."""
_QUIET = ("httpx", "httpcore")


class Refused(PermanentError):
    """The other side understood the request and said no."""

    def __init__(self, message: str, *, status: int, where: str = "") -> None:
        """Keep the HTTP status beside the sentence."""
        self.status = status
        super().__init__(message, where=where)


class Busy(TransientError):
    """The other side is well, but wants to be left alone for a while."""


def new_client() -> httpx.AsyncClient:
    """Make the client that all channels share; redirects are never followed."""
    for name in _QUIET:
        # Their INFO lines hold whole addresses, and Telegram's hold the token.
        logging.getLogger(name).setLevel(logging.WARNING)
    return httpx.AsyncClient(
        follow_redirects=False, limits=httpx.Limits(max_connections=32), trust_env=True
    )


async def post_json(
    client: httpx.AsyncClient, where: str, url: str, body: dict[str, Any], timeout_s: float
) -> httpx.Response:
    """Post, and return an answer below 300; every other outcome is an error."""
    try:
        response = await client.post(url, json=body, timeout=timeout_s)
    except httpx.TimeoutException:
        raise TransientError(f"no answer within {timeout_s:g} s", where=where) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        kind = type(error).__name__
        raise TransientError(f"cannot be reached ({kind})", where=where) from None
    if response.status_code < 300:
        return response
    said = _said(response)
    if response.status_code == 429:
        raise Busy(f"asks to wait: {said}", retry_after_s=wait_s(response), where=where)
    if response.status_code >= 500 or response.status_code == 408:
        raise TransientError(f"failed with {response.status_code}: {said}", where=where)
    raise Refused(
        f"refused with {response.status_code}: {said}", status=response.status_code, where=where
    )


def wait_s(response: httpx.Response) -> float:
    """Read how long a 429 asks us to wait: Telegram's, Discord's or the header's form."""
    try:
        body = response.json()
    except ValueError:
        body = None
    wanted: Any = None
    if isinstance(body, dict):
        parameters = body.get("parameters")
        nested = parameters.get("retry_after") if isinstance(parameters, dict) else None
        wanted = nested if nested is not None else body.get("retry_after")
    if wanted is None:
        wanted = response.headers.get("retry-after")
    try:
        return min(LONGEST_WAIT_S, max(LEAST_WAIT_S, float(wanted)))
    except (TypeError, ValueError):
        return 1.0


def rebased(url: str, base_url: str | None) -> str:
    """Put another scheme and host before an address's path."""
    if base_url is None:
        return url
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{base_url}{parts.path}{query}"


def _said(response: httpx.Response) -> str:
    text = " ".join(response.text.split())
    return text[:200] or "without a word"
