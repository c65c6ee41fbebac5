"""What a container is made of: a launch in, the arguments of the Docker Engine's `create` out.

Every container is bounded and can do little: memory without swap, CPU, number of processes; a
read-only root with a small /tmp, no capabilities, no new privileges, an unprivileged user; restart
policy `no`, for the supervisor decides. Secrets are files in mounted folders, never environment.
Pure; called by the runner.
"""

from hashlib import sha256
from typing import Any

from automation.core.errors import ConfigError
from automation.core.seams import Container, Launch
from automation.fleet.process import digest_of

UNIT, MARK, DIGEST = "freqfleet.unit", "freqfleet.mark", "freqfleet.launch"
_SECOND_NS = 1_000_000_000


def container_of(launch: Launch) -> Container:
    """Tell what the launch says of its container; ConfigError when it says nothing."""
    if launch.container is None:
        raise ConfigError("it has no image to run from", where=launch.unit, cure="set its image")
    return launch.container


def name_of(launch: Launch) -> str:
    """Name the container: one state folder's unit always gets the same, so it exists at most once."""
    return name_for(launch.unit, launch.mark)


def name_for(unit: str, mark: str) -> str:
    """Name the container that a unit of this mark has, or would have."""
    return f"freqfleet-{unit.lstrip('_')}-{sha256(mark.encode()).hexdigest()[:10]}"


def arguments(launch: Launch) -> dict[str, Any]:
    """Tell what the Docker Engine is asked to create."""
    container = container_of(launch)
    memory = container.memory_mb * 1024 * 1024
    return {
        "image": container.image,
        "entrypoint": [launch.argv[0]],  # never the image's own
        "command": list(launch.argv[1:]),
        "name": name_of(launch),
        "hostname": None if _is_of_another(container) else launch.unit.lstrip("_"),
        "labels": {UNIT: launch.unit, MARK: launch.mark, DIGEST: digest_of(launch)},
        "environment": dict(launch.env),
        "working_dir": str(launch.cwd),
        "user": container.user,
        "detach": True,
        "stdin_open": False,
        "init": True,  # reaps what the unit leaves behind
        "network_mode": container.networks[0] if container.networks else "none",
        "ports": {f"{inside}/tcp": ("127.0.0.1", port) for inside, port in container.ports},
        "mem_limit": memory,
        "memswap_limit": memory,  # no swap: a bot that swaps trades late
        "nano_cpus": round(container.cpus * _SECOND_NS),
        "pids_limit": container.pids,
        "read_only": True,
        "tmpfs": {"/tmp": f"size={container.tmp_mb}m,mode=1777"},  # noqa: S108  the container's own
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "restart_policy": {"Name": "no"},
        "volumes": [
            f"{m.source}:{m.target}:{'rw' if m.is_writable else 'ro'}" for m in container.mounts
        ],
        "healthcheck": _health(container),
        "log_config": {"type": "json-file", "config": {"max-size": "5m", "max-file": "3"}},
    }


def _is_of_another(container: Container) -> bool:
    """Tell whether it lives in another container's network, and so has that one's name."""
    return container.networks[:1] != () and container.networks[0].startswith("container:")


def _health(container: Container) -> dict[str, Any] | None:
    if not container.health:
        return None
    return {
        "test": ["CMD", *container.health],
        "interval": 30 * _SECOND_NS,
        "timeout": 5 * _SECOND_NS,
        "start_period": 90 * _SECOND_NS,
        "retries": 3,
    }
