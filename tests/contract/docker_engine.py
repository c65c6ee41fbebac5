"""A Docker Engine of the tests' own, with an image that borrows this machine's programs.

No image can be pulled where tests run, so an empty one is imported and the host's /usr and its kin
are mounted into its containers, read-only. The engine leaves the machine's firewall alone.
"""

import io
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from automation.core.errors import DependencyError
from automation.core.processes import dies_with_parent
from automation.core.seams import Mount
from automation.fleet.containers.engine import Engine

IMAGE = "freqfleet-test:empty"
BORROWED = ("/usr", "/lib", "/lib64", "/bin", "/etc")


def borrowed() -> tuple[Mount, ...]:
    """The host's programs, where a container expects its own."""
    return tuple(Mount(Path(p), Path(p)) for p in BORROWED if Path(p).exists())


@pytest.fixture(scope="session")
def docker_address() -> Iterator[str]:
    """An engine that lives as long as the session."""
    with own_engine() as address:
        yield address


@contextmanager
def own_engine() -> Iterator[str]:
    """Run an engine with the empty image; gives its address."""
    if shutil.which("dockerd") is None:
        pytest.skip("no dockerd is installed; install docker.io")
    if os.geteuid() != 0:
        pytest.skip("a Docker Engine starts as root alone")
    # Not in pytest's own folder: what the engine mounts in it cannot simply be removed.
    folder = Path(tempfile.mkdtemp(prefix="freqfleet-docker-"))
    place = folder / "docker.sock"
    command = [
        "dockerd", "--data-root", str(folder / "data"), "--exec-root", str(folder / "exec"),
        "--pidfile", str(folder / "pid"), "-H", f"unix://{place}", "--bridge=none",
        "--iptables=false", "--ip6tables=false", "--log-level=error",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        # However the tests end, no engine outlives them.
        engine = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            preexec_fn=dies_with_parent(),  # noqa: PLW1509  two words to the kernel
        )
    address = f"unix://{place}"
    try:
        until_it_answers(engine, address, folder / "log")
        import_empty_image(address, IMAGE)
        yield address
    finally:
        sweep(address)
        engine.terminate()
        engine.wait(30)
        remove(folder)


def remove(folder: Path) -> None:
    """Unmount what the engine left mounted, the last mount first, and remove the folder."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mounted in reversed([place for place in mounts if place.startswith(str(folder))]):
        subprocess.run(["umount", mounted], check=False, capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)


def until_it_answers(engine: subprocess.Popen, address: str, log: Path) -> None:
    deadline = time.monotonic() + 40
    while True:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as asked:
            asked.connect(address.removeprefix("unix://"))
            return
        if engine.poll() is not None or time.monotonic() > deadline:
            engine.kill()
            pytest.skip(f"the Docker Engine does not start here: {log.read_text()[-500:]}")
        time.sleep(0.2)


def import_empty_image(address: str, name: str) -> None:
    """Import an image with nothing in it."""
    nothing = io.BytesIO()
    tarfile.open(fileobj=nothing, mode="w").close()
    engine = Engine(address)
    repository, _, tag = name.partition(":")
    # An entry point of its own, as Freqtrade's image has one: it must not come into play.
    changes = ['ENTRYPOINT ["/bin/false"]']
    engine._docker().api.import_image_from_data(
        nothing.getvalue(), repository, tag or "latest", changes=changes
    )
    engine.close()


def sweep(address: str) -> None:
    """Remove every container of the tests' engine."""
    engine = Engine(address)
    with suppress(DependencyError):
        for found in engine._docker().api.containers(all=True):
            engine.remove(found["Id"])
    engine.close()
