"""How commands reach the running supervisor: one JSON line there, one back, over a local socket.

The socket stands in a folder that only its owner can enter. Its path must be short (the kernel
allows 107 bytes), so a deep state folder gets it in the system's temporary folder; the supervisor
writes down where. Refuses to know what is asked: the answers are handed in. The client side is
plain and synchronous, for commands that ask once.
"""

import asyncio
import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from automation.core.errors import (
    ConfigError,
    DependencyError,
    FreqfleetError,
    PermanentError,
    Refusal,
)
from automation.core.model import FleetStatus
from automation.fleet.home import Home
from automation.fleet.lock import Holder

LONGEST_PATH_BYTES = 100
LONGEST_LINE_BYTES = 4_000_000
LONGEST_WAIT_S = 60.0
"""For what an operator asked of a bot; then it goes on without them."""

Ask = Callable[[str, str, str], Awaitable[str | Refusal]]
"""Does `action` to `bot` for `actor`; the answer is a sentence."""

Answer = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""Answers anything else that is asked."""


class ControlServer:
    """The supervisor's ear."""

    def __init__(
        self,
        home: Home,
        status: Callable[[], FleetStatus],
        go_down: Callable[[str], None],
        ask: Ask,
        more: Mapping[str, Answer] | None = None,
    ) -> None:
        """Answer with these functions."""
        self._status, self._go_down, self._ask = status, go_down, ask
        self._more = more or {}
        self._folder: Path | None = None
        self.path = str(home.path / "control.sock")
        if len(os.fsencode(self.path)) > LONGEST_PATH_BYTES:
            self._folder = Path(tempfile.mkdtemp(prefix="freqfleet-"))  # 0700
            self.path = str(self._folder / "control.sock")
        self._server: asyncio.Server | None = None
        self._inode = 0

    async def __aenter__(self) -> Self:
        """Listen."""
        self._remove()  # of a supervisor that was killed
        self._server = await asyncio.start_unix_server(
            self._serve, self.path, limit=LONGEST_LINE_BYTES
        )
        os.chmod(self.path, 0o600)  # noqa: PTH101  one call on a local socket
        self._inode = os.stat(self.path).st_ino  # noqa: PTH116
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
        self._leave()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _remove(self) -> None:
        Path(self.path).unlink(missing_ok=True)

    def _leave(self) -> None:
        """Remove the socket unless it is a successor's by now."""
        with contextlib.suppress(OSError):
            if Path(self.path).stat().st_ino == self._inode:
                self._remove()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, ValueError, asyncio.IncompleteReadError):
                line = await reader.readline()
                answer = await self._reply(line)
                writer.write(orjson.dumps(answer) + b"\n")
                await writer.drain()
        finally:
            writer.close()  # also when it is cancelled: nobody waits for an answer then

    async def _reply(self, line: bytes) -> dict[str, Any]:
        try:
            asked = orjson.loads(line)
            return await self._answer(asked)
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            return {"error": f"the supervisor does not understand: {error}", "exit_code": 2}
        except FreqfleetError as error:
            return {"error": str(error), "exit_code": error.exit_code}

    async def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["do"] == "status":
            return {"status": self._status().model_dump(mode="json")}
        if asked["do"] == "down":
            self._go_down(str(asked.get("reason", "freqfleet down")))
            return {"said": "the fleet goes down"}
        more = self._more.get(str(asked["do"]))
        if more is not None:
            return await more(asked)
        said = await self._ask(str(asked["bot"]), str(asked["do"]), str(asked.get("actor", "")))
        if isinstance(said, Refusal):
            return {"error": said.reason, "exit_code": 2}
        return {"said": said}


def ask_supervisor(
    holder: Holder, asked: dict[str, Any], timeout_s: float = 10.0
) -> dict[str, Any]:
    """Ask the running supervisor and wait for its answer.

    Raises ConfigError when it refuses, DependencyError when the thing failed or nobody answers.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(holder.socket)
            connection.sendall(orjson.dumps(asked) + b"\n")
            line = _read_line(connection)
        answer: dict[str, Any] = orjson.loads(line)
    except (OSError, orjson.JSONDecodeError) as error:
        reason = f"supervisor pid {holder.pid} does not answer ({error})"
        raise DependencyError(reason, cure="see its log in the state folder") from None
    if "error" in answer:
        kind = ConfigError if answer.get("exit_code") == 2 else PermanentError
        raise kind(str(answer["error"]))
    return answer


def _read_line(connection: socket.socket) -> bytes:
    parts = []
    while not (part := connection.recv(65536)).endswith(b"\n"):
        if not part:
            break
        parts.append(part)
    return b"".join([*parts, part])
