"""The admin interface: faults armed, listed and lifted while the exchange runs.

    GET    /admin/faults          all faults with what has become of them, and the log
    POST   /admin/faults          arm one: a fault of a scenario as JSON; it begins now without `at`
    DELETE /admin/faults/<name>   lift one

Decides who may: whoever calls from the loopback and shows the token (`Authorization: Bearer ...`).
Everybody else gets 403 and one sentence. Refuses to know sockets. Called by `server`.
"""

import hmac
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote

import orjson

from automation.core.errors import ConfigError
from automation.simulator.faults.engine import Faults
from automation.simulator.faults.scenario import parse_fault

PREFIX = "/admin"
_LOGGED = 1000  # entries of the log that are shown


class Admin:
    """Answers requests under /admin."""

    def __init__(self, faults: Faults, token: str | None, symbols: tuple[str, ...]) -> None:
        """Without `token` everybody is refused."""
        self._faults, self._token, self._symbols = faults, token, symbols

    def reply(
        self, method: str, path: str, remote: str, authorization: str, body: bytes
    ) -> tuple[int, bytes]:
        """Answer one request with status and JSON."""
        refusal = self._refusal(remote, authorization)
        if refusal:
            return 403, _say(refusal)
        name = unquote(path.removeprefix(f"{PREFIX}/faults").removeprefix("/"))
        if not path.startswith(f"{PREFIX}/faults"):
            return 404, _say(f"there is nothing at {path}; see {PREFIX}/faults")
        try:
            return self._carry_out(method, name, body)
        except ConfigError as error:
            return 400, _say(str(error))

    def _refusal(self, remote: str, authorization: str) -> str:
        if not ip_address(remote).is_loopback:
            return "the admin interface answers on the loopback only"
        if self._token is None:
            return "the admin interface is off; start the simulator with a token for it"
        if not hmac.compare_digest(authorization.encode(), f"Bearer {self._token}".encode()):
            return "the admin interface needs its token: Authorization: Bearer TOKEN"
        return ""

    def _carry_out(self, method: str, name: str, body: bytes) -> tuple[int, bytes]:
        if method == "GET" and not name:
            return 200, orjson.dumps({"faults": self._listed(), "log": self._faults.log[-_LOGGED:]})
        if method == "POST" and not name:
            fault = parse_fault(_json(body), self._symbols)
            return 200, orjson.dumps({"name": self._faults.add(fault).name})
        if method == "DELETE" and name:
            self._faults.lift(name)
            return 200, orjson.dumps({"name": name})
        return 405, _say(f"{method} is not understood here")

    def _listed(self) -> list[dict[str, Any]]:
        return [
            {
                "name": armed.name,
                "hits": armed.hits,
                "is_on": armed.was_on,
                "is_lifted": armed.is_lifted,
                "fault": armed.fault.model_dump(mode="json", exclude_defaults=True),
            }
            for armed in self._faults.armed
        ]


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ConfigError("the body is no JSON", cure="send one fault as an object") from None


def _say(sentence: str) -> bytes:
    return orjson.dumps({"msg": sentence})
