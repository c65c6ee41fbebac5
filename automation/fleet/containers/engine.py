"""The few things that are asked of a Docker Engine, with its failures as sentences.

Decides which failure is whose: an engine that does not answer is a `TransientError`, a missing
image or a refused container a `DependencyError` with its cure. Refuses to know what units are.
Plain and blocking: the runner calls it in threads. Called by `runner` and by `doctor`.
"""

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from automation.core.errors import DependencyError, TransientError

MISSING = "run docker pull {image}, or make images and name freqfleet/bot:local in docker.image"
TIMEOUT_S = 20
CONFLICT = 409
ALONE = {"com.docker.network.bridge.enable_icc": "false"}
"""Containers of one network do not reach one another; the host's loopback reaches them all."""
DEFAULT_ADDRESS = "unix:///var/run/docker.sock"


class Engine:
    """One Docker Engine."""

    def __init__(self, address: str | None = None) -> None:
        """Name the engine (`unix://…`, `tcp://…`); without it what DOCKER_HOST says."""
        self._address = address
        self._client: docker.DockerClient | None = None

    def create(self, arguments: Mapping[str, Any]) -> str:
        """Create a container and give its id; DependencyError when the engine refuses."""
        options = dict(arguments)
        image, command = options.pop("image"), options.pop("command")
        with _sentences(f"image {image}"):
            try:
                made = self._docker().containers.create(image, command, **options)
            except ImageNotFound:
                cure = MISSING.format(image=image)
                raise DependencyError("there is no such image", where=image, cure=cure) from None
            return str(made.id)

    def start(self, container: str) -> None:
        """Start a created container."""
        with _sentences("start"):
            self._docker().containers.get(container).start()

    def inspect(self, name: str) -> dict[str, Any] | None:
        """Tell everything about a container; None when there is none of this name or id."""
        with _sentences("inspect"):
            try:
                found: dict[str, Any] = self._docker().api.inspect_container(name)
            except NotFound:
                return None
            return found

    def signal(self, container: str, number: int) -> None:
        """Send a signal; nothing happens when it does not run."""
        with _sentences("kill"):
            try:
                self._docker().api.kill(container, number)
            except NotFound:
                return
            except APIError as error:
                if error.status_code != CONFLICT:
                    raise

    def unpause(self, container: str) -> None:
        """Let a paused container go on, so that it can hear signals."""
        with _sentences("unpause"):
            try:
                self._docker().api.unpause(container)
            except (NotFound, APIError):
                return  # gone, or not paused

    def remove(self, container: str) -> None:
        """Remove a container, dead or alive; nothing happens when there is none."""
        with _sentences("remove"):
            try:
                self._docker().api.remove_container(container, force=True, v=True)
            except NotFound:
                return
            except APIError as error:
                if error.status_code != CONFLICT:  # its removal is under way
                    raise

    def logs(self, container: str, lines: int) -> bytes:
        """Read the end of what a container printed."""
        with _sentences("logs"):
            try:
                return bytes(self._docker().api.logs(container, tail=lines))
            except NotFound:
                return b""

    def ensure_network(self, name: str) -> None:
        """Make a network when there is none of this name."""
        with _sentences(f"network {name}"):
            try:
                self._docker().api.inspect_network(name)
            except NotFound:
                self._docker().api.create_network(
                    name,
                    driver="bridge",
                    check_duplicate=True,
                    options=ALONE,
                    labels={"freqfleet.made": "yes"},
                )

    def connect(self, network: str, container: str) -> None:
        """Connect a container to a further network."""
        with _sentences(f"network {network}"):
            self._docker().api.connect_container_to_network(container, network)

    def deaths(self, label: str, tell: Callable[[str], None]) -> None:
        """Call `tell` with the id of each labelled container that ends, until `close`."""
        filters = {"type": "container", "event": ["die", "oom"], "label": label}
        with _sentences("events"):
            # A client of its own: the stream blocks for as long as nobody dies.
            client = self._new(timeout=None)
            try:
                for event in client.api.events(decode=True, filters=filters):
                    tell(str(event.get("id", "")))
            finally:
                client.close()

    def has_image(self, name: str) -> bool:
        """Tell whether the engine has an image."""
        with _sentences(f"image {name}"):
            try:
                self._docker().api.inspect_image(name)
            except NotFound:
                return False
            return True

    def ping(self) -> str:
        """Tell the engine's version; TransientError when it does not answer."""
        with _sentences("version"):
            return str(self._docker().version()["Version"])

    def close(self) -> None:
        """Let the connection go."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _docker(self) -> docker.DockerClient:
        if self._client is None:
            self._client = self._new(timeout=TIMEOUT_S)
        return self._client

    def _new(self, timeout: int | None) -> docker.DockerClient:
        # Asked before the SDK does: it leaves its socket open when nobody listens.
        place = self._address or os.environ.get("DOCKER_HOST") or DEFAULT_ADDRESS
        if place.startswith("unix://"):
            with socket.socket(socket.AF_UNIX) as asked:
                asked.connect(place.removeprefix("unix://"))
        if self._address is None:
            return docker.from_env(timeout=timeout)
        return docker.DockerClient(base_url=self._address, timeout=timeout)


@contextmanager
def _sentences(what: str) -> Iterator[None]:
    try:
        yield
    except APIError as error:
        said = error.explanation or str(error)
        raise DependencyError(f"Docker refuses ({said})", where=what) from None
    except PermissionError:
        cure = "add the user to the group that owns its socket (docker), and log in anew"
        raise DependencyError(
            "this user may not use the Docker Engine", where="docker", cure=cure
        ) from None
    except (OSError, DockerException) as error:  # those of requests are OSErrors
        raise TransientError(
            f"the Docker Engine does not answer ({_short(error)})",
            where="docker",
            cure="start it, or give its address in DOCKER_HOST or the fleet file's docker.engine",
        ) from None


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else text[:199] + "…"
