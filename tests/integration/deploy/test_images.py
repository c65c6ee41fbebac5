"""The Dockerfiles, built by a real engine on bases that carry the real tags.

No image can be pulled where tests run, so the bases are made of this machine's Python and the few
programs that the Dockerfiles call. The packages that a lock names are already where pip would put
them (most as their metadata alone), so pip checks every pin of the lock and fetches nothing.
"""

import importlib.metadata
import io
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest

from automation.fleet.containers.engine import Engine

REPOSITORY = Path(__file__).resolve().parents[3]
PACKAGES = "opt/freqfleet/lib/python{}.{}/site-packages".format(*sys.version_info)
PROGRAMS = ("sh", "mkdir", "chown", "useradd", "sleep", "id")
BASES = {"sidecar": "python:3.11-slim-bookworm", "bot": "freqtradeorg/freqtrade:2026.9"}
WHOLE = {"typer", "click", "rich", "shellingham", "markdown-it-py", "mdurl", "pygments",
         "typing-extensions", "annotated-doc", "orjson", "attrs"}  # fmt: skip

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="the sidecar's base has Python 3.11"
)


def libraries_of(programs: list[Path]) -> set[Path]:
    told = subprocess.run(
        ["ldd", *map(str, programs)], check=False, capture_output=True, text=True
    ).stdout
    return {Path(found) for found in re.findall(r"(/\S+) \(0x", told)}


def base_image() -> bytes:
    """Make a file system with a shell, a Python and the packages of the locks."""
    standard = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix}))
    python = Path(sys.executable).resolve()
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", dereference=True) as tar:
        tools = [Path(shutil.which(name) or "") for name in PROGRAMS]
        assert all(tool.is_file() for tool in tools), tools
        for tool in tools:
            tar.add(tool, f"bin/{tool.name}")
        for name in ("python", "python3", "python3.11"):
            tar.add(python, f"usr/local/bin/{name}")
        tar.add(standard, "usr/local/lib/python3.11", filter=_lean)
        for library in libraries_of([*tools, python, *standard.rglob("lib-dynload/*.so")]):
            # The loader, and what it finds by itself.
            tar.add(library, str(library).lstrip("/"))
        tar.add("/etc/login.defs", "etc/login.defs")
        for name in ("passwd", "group"):
            text = b"root:x:0:0::/:/bin/sh\n" if name == "passwd" else b"root:x:0:\n"
            entry = tarfile.TarInfo(f"etc/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
        for folder, mode in (("tmp", 0o1777), ("proc", 0o755), ("dev", 0o755)):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        _add_packages(tar)
    return made.getvalue()


def _lean(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    left = ("/site-packages", "/test", "/__pycache__", "/idlelib", "/config-3.11")
    return None if any(part in entry.name for part in left) else entry


def _add_packages(tar: tarfile.TarFile) -> None:
    text = (REPOSITORY / "requirements" / "bot.txt").read_text()  # the sidecar's are among them
    for name in sorted(set(re.findall(r"^([a-z0-9._-]+)", text, re.MULTILINE))):
        try:
            files = importlib.metadata.files(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # not for this system
        kept = {f for f in files if name in WHOLE or f.parts[0].endswith(".dist-info")}
        for file in sorted(kept):
            if file.parts[0] != "..":
                tar.add(file.locate(), f"{PACKAGES}/{file}")


@pytest.fixture(scope="module")
def engine(docker_address):
    engine = Engine(docker_address)
    content = base_image()
    for tag in BASES.values():
        repository, _, version = tag.partition(":")
        changes = ["ENV PATH=/usr/local/bin:/usr/bin:/bin"]
        engine._docker().api.import_image_from_data(content, repository, version, changes=changes)
    yield engine
    engine.close()


@pytest.mark.long
@pytest.mark.parametrize("name", ["sidecar", "bot"])
def test_an_image_is_built_and_its_program_starts(engine, name):
    api = engine._docker().api
    said = list(
        api.build(
            path=str(REPOSITORY), dockerfile=f"deploy/docker/{name}.Dockerfile", decode=True,
            tag=f"freqfleet-test/{name}", network_mode="none", rm=True, pull=False,
        )
    )  # fmt: skip
    assert not [line["error"] for line in said if "error" in line], said[-8:]
    made = api.inspect_image(f"freqfleet-test/{name}")["Config"]
    assert made["User"].split(":")[0] == "1000"
    host = api.create_host_config(network_mode="none", read_only=True, cap_drop=["ALL"])
    container = api.create_container(
        f"freqfleet-test/{name}", ["--help"], entrypoint=["freqfleet"], host_config=host
    )["Id"]
    try:
        engine.start(container)
        code = api.wait(container, timeout=60)["StatusCode"]
        printed = engine.logs(container, 100).decode()
        assert (code, "simulate" in printed) == (0, True), printed
        in_it = {Path(c["Path"]).name for c in api.diff(container) or ()}
        assert in_it == set()  # nothing was written
    finally:
        engine.remove(container)
