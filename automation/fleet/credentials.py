"""How a unit's API is reached: a port and generated credentials that survive restarts.

They stand in `api.json` of the unit's folder, 0600, made once. A port that the fleet file names
wins; any other is asked of the system once and kept, so FreqUI's bookmarks stay good.
Called by the supervisor and by `bot login`.
"""

import secrets
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from automation.core.masking import register_secret
from automation.fleet.home import read_json, write_json
from automation.fleet.ports import LOOPBACK, find_free


@dataclass(frozen=True, slots=True)
class ApiAccess:
    """Where one API listens and how to get in."""

    port: int
    username: str = "freqfleet"
    password: str = field(default="", repr=False)
    jwt_secret_key: str = field(default="", repr=False)
    ws_token: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """The address, for people and for FreqUI."""
        return f"http://{LOOPBACK}:{self.port}"


def ensure_access(
    folder: Path, wanted_port: int | None = None, avoid: frozenset[int] = frozenset()
) -> ApiAccess:
    """Read the access of a unit, or make it; DependencyError when it cannot be written."""
    access = read_access(folder)
    if access is None:
        # Broken, not missing: a bot that runs still listens as it was rendered.
        is_broken = (folder / "api.json").exists()
        access = rendered_access(folder) if is_broken else None
        access = access or ApiAccess(
            wanted_port or find_free(avoid),
            password=secrets.token_urlsafe(18),
            jwt_secret_key=secrets.token_hex(32),
            ws_token=secrets.token_urlsafe(24),
        )
        write_json(folder / "api.json", asdict(access))
    elif wanted_port is not None and wanted_port != access.port:
        access = move(folder, access, wanted_port)
    for secret in (access.password, access.jwt_secret_key, access.ws_token):
        register_secret(secret)
    return access


def read_access(folder: Path) -> ApiAccess | None:
    """Read the access of a unit; None when it was never made or is broken."""
    try:
        access = ApiAccess(**read_json(folder / "api.json"))
    except TypeError:
        return None
    is_whole = isinstance(access.port, int) and access.password and access.jwt_secret_key
    return access if is_whole else None


def rendered_access(folder: Path) -> ApiAccess | None:
    """Tell the access that a bot was last started with; None when that is not known."""
    api = read_json(folder / "config.json").get("api_server", {})
    try:
        return ApiAccess(
            int(api["listen_port"]),
            str(api["username"]),
            str(api["password"]),
            str(api["jwt_secret_key"]),
            str(api["ws_token"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def move(folder: Path, access: ApiAccess, port: int) -> ApiAccess:
    """Keep the credentials and change the port."""
    moved = replace(access, port=port)
    write_json(folder / "api.json", asdict(moved))
    return moved
