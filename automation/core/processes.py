"""What child processes share: those that work for us alone do not outlive us.

Bots are no such children: they go on without their supervisor and are adopted by the next one.
"""

import ctypes
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # prctl(2)


def dies_with_parent() -> Callable[[], None] | None:
    """Give what a child runs before its program, so that it ends when this process is killed.

    For `preexec_fn`; None where the kernel has no such thing. It is tied to the thread that starts
    the child, which is the event loop's own.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask_the_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    return ask_the_kernel
