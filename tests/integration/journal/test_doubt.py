"""A connection that dies between a commit and its answer: written once all the same."""

import socket
import threading
from contextlib import suppress

import pytest

from automation.core.errors import TransientError
from automation.journal import Journal
from tests.contract.journal_servers import postgres_server


class Wire:
    """Stands between us and PostgreSQL, and cuts the line on the way back when told."""

    def __init__(self, port):
        self._port, self.cut_after = port, b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            state = {"cut": False}
            for source, target, ours in ((client, server, True), (server, client, False)):
                threading.Thread(
                    target=self._pump, args=(source, target, ours, state), daemon=True
                ).start()

    def _pump(self, source, target, ours, state):
        try:
            while data := source.recv(65_536):
                if ours and self.cut_after and self.cut_after in data:
                    state["cut"], self.cut_after = True, b""
                if not ours and state["cut"]:
                    break  # the answer to the commit never arrives
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # wakes the other direction too
        if ours:
            source.close()
            target.close()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def wire():
    with postgres_server() as server:
        wire = Wire(server.port)
        wire.url = server.url.replace(f"@127.0.0.1:{server.port}", f"@127.0.0.1:{wire.port}")
        yield wire
        wire.close()


def test_a_posted_event_whose_commit_is_in_doubt_is_written_once(wire):
    with Journal.open(wire.url) as journal:
        journal.append("bot.up", actor="a", source="s")
        wire.cut_after = b"COMMIT"
        first = journal.post("bot.posted", actor="a", source="s", payload={"n": 1})
        second = journal.post("bot.posted", actor="a", source="s", payload={"n": 2})
        assert (first.result(20)[-1].sequence, second.result(20)[-1].sequence) == (2, 3)
        events = journal.read()
        assert [e.payload["n"] for e in events if e.kind == "bot.posted"] == [1, 2]
        assert first.result()[-1] in events
        assert journal.verify().is_whole


def test_an_awaited_append_in_doubt_is_said(wire):
    with Journal.open(wire.url) as journal:
        journal.append("bot.up", actor="a", source="s")
        wire.cut_after = b"COMMIT"
        with pytest.raises(TransientError, match="does not do its part"):
            journal.append("bot.up", actor="a", source="s")
        assert journal.append("bot.up", actor="a", source="s").sequence == 3
