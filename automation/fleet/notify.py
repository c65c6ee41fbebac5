"""Tells systemd that the fleet is under supervision, and again and again that it still is.

A message goes out only from the loop itself, so that a loop that hangs is restarted by systemd's
watchdog; the bots live on meanwhile. Where no systemd listens nothing is sent. The address is taken
out of the environment, for no bot has any business with it. Called by the supervisor.
"""

import os
import socket
from contextlib import suppress

ADDRESS = "NOTIFY_SOCKET"
_OURS_ALONE = (ADDRESS, "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """Speaks to systemd."""

    def __init__(self) -> None:
        """Take the address that systemd gave this process."""
        address = os.environ.get(ADDRESS, "")
        for name in _OURS_ALONE:
            os.environ.pop(name, None)
        # An abstract socket is written with an @ and addressed with a zero byte.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._was_told = ""

    def ready(self) -> None:
        """Tell that the supervisor is in charge."""
        self._send("READY=1")

    def alive(self, status: str) -> None:
        """Tell that the loop runs; `status` is shown by `systemctl status`."""
        said = "" if status == self._was_told else f"\nSTATUS={status}"
        if self._send(f"WATCHDOG=1{said}"):
            self._was_told = status

    def stopping(self) -> None:
        """Tell that the fleet is being taken down."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> bool:
        if not self._address:
            return False
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
            speaker.setblocking(False)  # a deaf systemd must not hold up the supervision
            speaker.sendto(message.encode(), self._address)
            return True
        return False
