"""TCP ports on the loopback: is one free, who has it, which one is.

Called when units are rendered and before they start, for Freqtrade itself hangs for ever when its
API port is taken.
"""

import socket
from contextlib import suppress

import psutil

from automation.fleet.identity import describe

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of the loopback now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do it: connections of the last process that linger do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def find_free(avoid: frozenset[int] = frozenset()) -> int:
    """Ask the system for a free port, none of `avoid`."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port not in avoid:
            return port


def owner_of(port: int) -> str:
    """Name who listens on a port, as well as the system lets us see."""
    with suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            is_listening = connection.status == psutil.CONN_LISTEN
            if is_listening and connection.laddr and connection.laddr.port == port:
                return describe(connection.pid) if connection.pid else "another user's process"
    return "another process"
