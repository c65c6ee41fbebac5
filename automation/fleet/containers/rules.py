"""What may be asked of a Docker Engine through the filter: a request in, what is forwarded out.

Everything is refused that is not known to be what the Docker runner asks. A container is created
from a document made anew of known keys alone, so that no second reading of the same bytes can say
something else. Refuses to know sockets. Pure but for resolving links of mounted folders; called by
`socketfilter`. What it cannot see: a link that is put in a folder's place after it was looked at.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automation.core.errors import Refusal
from automation.fleet.containers.spec import MARK, UNIT

_UNPRIVILEGED = re.compile(r"[1-9][0-9]*:[1-9][0-9]*")
_NAME = re.compile(r"freqfleet-[a-zA-Z0-9_.-]+")
_DIALECT = r"(?:/v1\.[0-9]+)?"
_WORD = r"([a-zA-Z0-9][a-zA-Z0-9_.-]*)"

_FREE = frozenset({
    "Entrypoint", "Cmd", "Hostname", "Labels", "Env", "WorkingDir", "Healthcheck", "ExposedPorts",
    "AttachStdout", "AttachStderr",
})  # fmt: skip
_IDLE = frozenset({"Volumes"})
"""Sent by the SDK beside the mounts and not forwarded: alone it would make further volumes."""
_FREE_HOST = frozenset({
    "Memory", "MemorySwap", "NanoCpus", "PidsLimit", "Init", "Tmpfs", "AutoRemove",
})  # fmt: skip
_FIXED_HOST: Mapping[str, Any] = {
    "ReadonlyRootfs": True,
    "CapDrop": ["ALL"],
    "SecurityOpt": ["no-new-privileges"],
}
_CHECKED_HOST = frozenset({"Binds", "NetworkMode", "PortBindings", "RestartPolicy", "LogConfig"})


@dataclass(frozen=True, slots=True)
class Rules:
    """What containers may be made of."""

    images: frozenset[str]
    networks: frozenset[str]  # names, or container:NAME
    readable: tuple[Path, ...]
    writable: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """A request that may pass: of which container it must be ours, and whether it creates one."""

    container: str | None = None
    creates: bool = False


_OF_A_CONTAINER = (
    ("GET", "json"), ("GET", "logs"), ("POST", "start"), ("POST", "kill"), ("POST", "unpause"),
)  # fmt: skip


def passage(rules: Rules, method: str, path: str, query: Mapping[str, str]) -> Passage | Refusal:
    """Tell whether a request may pass; `path` as it came, not decoded."""
    bare = re.sub(f"^{_DIALECT}/", "/", path, count=1)
    found = re.fullmatch(f"/containers/{_WORD}", bare)
    below = re.fullmatch(f"/containers/{_WORD}/([a-z]+)", bare)
    if (method, bare) == ("POST", "/containers/create"):
        return _creation(query)
    if found and method == "DELETE":
        return Passage(container=found[1])
    if below and (method, below[2]) in _OF_A_CONTAINER:
        return Passage(container=below[1])
    return _reading(rules, bare, query) if method == "GET" else _unknown(method, bare)


def _creation(query: Mapping[str, str]) -> Passage | Refusal:
    if _NAME.fullmatch(query.get("name", "")):
        return Passage(creates=True)
    return Refusal("a container's name begins with freqfleet-")


def _reading(rules: Rules, bare: str, query: Mapping[str, str]) -> Passage | Refusal:
    image = re.fullmatch(r"/images/([a-zA-Z0-9/:._@-]+)/json", bare)
    if bare == "/version":
        return Passage()
    if bare == "/events":
        return _events(query)
    if image is None:
        return _unknown("GET", bare)
    if image[1] in rules.images:
        return Passage()
    return Refusal(f"the image {image[1]} is none of this fleet")


def _unknown(method: str, bare: str) -> Refusal:
    return Refusal(f"{method} {bare} is not among what a fleet needs")


def rebuild(rules: Rules, body: bytes) -> bytes | Refusal:
    """Make the document of a new container anew from what is known and allowed in it."""
    try:
        asked = json.loads(body)
    except ValueError:
        return Refusal("the container's document is no JSON")
    if not isinstance(asked, dict) or not isinstance(asked.get("HostConfig"), dict):
        return Refusal("the container's document says nothing of its limits")
    host = asked["HostConfig"]
    refusal = _whole(rules, asked) or _host(rules, host)
    if refusal is not None:
        return refusal
    kept = {k: v for k, v in asked.items() if v and k not in {"HostConfig", *_IDLE}}
    return json.dumps({**kept, "HostConfig": {k: v for k, v in host.items() if v}}).encode()


def is_ours(inspected: Mapping[str, Any]) -> bool:
    """Tell whether a container is one of a fleet."""
    return bool((inspected.get("Config", {}).get("Labels") or {}).get(UNIT))


def _events(query: Mapping[str, str]) -> Passage | Refusal:
    try:
        filters = json.loads(query.get("filters", "{}"))
        labels = filters["label"]
    except (ValueError, KeyError, TypeError):
        return Refusal("events are told of labelled containers alone")
    return Passage() if labels == [MARK] else Refusal(f"events are told of {MARK} alone")


def _whole(rules: Rules, asked: Mapping[str, Any]) -> Refusal | None:
    known = _FREE | _IDLE | {"Image", "User", "HostConfig"}
    unknown = [key for key, value in asked.items() if value and key not in known]
    labels = asked.get("Labels")
    if unknown:
        return Refusal(f"{unknown[0]} is not among what a container may be given")
    if asked.get("Image") not in rules.images:
        return Refusal(f"the image {asked.get('Image')} is none of this fleet")
    if not _UNPRIVILEGED.fullmatch(str(asked.get("User"))):
        return Refusal("a container has a user and a group by number, and neither is root")
    if not isinstance(labels, dict) or not labels.get(UNIT) or not labels.get(MARK):
        return Refusal("a container says by its labels whose it is")
    return None


def _host(rules: Rules, host: Mapping[str, Any]) -> Refusal | None:
    known = _FREE_HOST | _FIXED_HOST.keys() | _CHECKED_HOST
    unknown = [key for key, value in host.items() if value and key not in known]
    if unknown:
        return Refusal(f"{unknown[0]} is not among what a container may be given")
    for key, value in _FIXED_HOST.items():
        if host.get(key) != value:
            return Refusal(f"{key} must be {json.dumps(value)}")
    for key in ("Memory", "NanoCpus", "PidsLimit"):
        if not isinstance(host.get(key), int) or host[key] <= 0:
            return Refusal(f"{key} must be limited")
    return (
        _customs(rules, host)
        or _ports(host.get("PortBindings") or {})
        or _binds(rules, host.get("Binds") or [])
    )


def _customs(rules: Rules, host: Mapping[str, Any]) -> Refusal | None:
    if host.get("NetworkMode") not in rules.networks:
        return Refusal(f"the network {host.get('NetworkMode')} is none of this fleet")
    if (host.get("RestartPolicy") or {}).get("Name", "no") not in {"", "no"}:
        return Refusal("the supervisor alone restarts")
    if (host.get("LogConfig") or {}).get("Type", "json-file") != "json-file":
        return Refusal("a container logs to json-file")
    return None


def _ports(bindings: Any) -> Refusal | None:
    if not isinstance(bindings, dict):
        return Refusal("the ports are no mapping")
    for places in bindings.values():
        if not places or any(place.get("HostIp") != "127.0.0.1" for place in places):
            return Refusal("a port is published on 127.0.0.1 alone")
    return None


def _binds(rules: Rules, binds: Any) -> Refusal | None:
    if not isinstance(binds, list):
        return Refusal("the mounts are no list")
    for bind in binds:
        source, _, mode = [*str(bind).split(":"), "", ""][:3]
        if str(bind).count(":") != 2 or mode not in {"ro", "rw"}:
            return Refusal(f"the mount {bind} is not of the form SOURCE:TARGET:ro or :rw")
        roots = rules.writable if mode == "rw" else (*rules.readable, *rules.writable)
        place = Path(source)
        # The engine follows links: what counts is where they lead.
        if not place.is_absolute() or not any(place.resolve().is_relative_to(r) for r in roots):
            return Refusal(f"{source} is not a place that bots may {_VERB[mode]}")
    return None


_VERB = {"ro": "read", "rw": "write"}
