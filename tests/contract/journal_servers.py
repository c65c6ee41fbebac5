"""Real servers for the journal's tests: each in its own folder, on a free port, stopped at the end."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest

POSTGRES_BIN = "/usr/lib/postgresql/15/bin"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port: int, process: subprocess.Popen, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with {process.returncode}")
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on {port}")


def program(name: str, package: str, *folders: str) -> str:
    found = shutil.which(name, path=os.pathsep.join([*folders, os.environ.get("PATH", "")]))
    if found is None:
        pytest.skip(f"needs {package}")
    return found


class Server:
    """A process that can be stopped, killed and started again with its data."""

    def __init__(self, folder: Path, port: int, command: list[str], **options) -> None:
        self.folder, self.port = folder, port
        self._command, self._options = command, options
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, start_new_session=True, **self._options
            )
        wait_for_port(self.port, self._process)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait for more than an open port."""

    def stop(self, sign: int = signal.SIGINT) -> None:
        if self._process is None:
            return
        self._process.send_signal(sign)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
        self._process = None

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        self._process = None


class Postgres(Server):
    @property
    def url(self) -> str:
        return f"postgresql://journal:pw-{self.port}@127.0.0.1:{self.port}/postgres"

    def schema_url(self) -> str:
        return f"{self.url}?schema=j_{uuid4().hex[:12]}"

    def wait_until_ready(self) -> None:
        psycopg = pytest.importorskip("psycopg", reason="needs psycopg")
        for _ in range(200):
            try:
                psycopg.connect(self.url).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError("PostgreSQL does not answer")


@contextmanager
def postgres_server(*settings: str):
    """Start PostgreSQL 15; as root it runs as the user `postgres`, which it insists on."""
    initdb = program("initdb", "postgresql", POSTGRES_BIN)
    server_program = program("postgres", "postgresql", POSTGRES_BIN)
    folder, port = Path(tempfile.mkdtemp(prefix="ff-pg-")), free_port()
    options = {"cwd": folder}
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        options.update(user=user.pw_uid, group=user.pw_gid, extra_groups=[])
    password = folder / "password"
    password.write_text(f"pw-{port}")
    password.chmod(0o644)
    data = folder / "data"
    subprocess.run(
        [initdb, "-D", data, "-U", "journal", f"--pwfile={password}", "-A", "scram-sha-256", "-N"],
        check=True,
        capture_output=True,
        **options,
    )
    flags = ["listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={folder}"]
    command = [server_program, "-D", str(data)]
    for setting in (*flags, *settings):
        command += ["-c", setting]
    server = Postgres(folder, port, command, **options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Redis(Server):
    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


@contextmanager
def redis_server(*settings: str):
    """Start Redis, every write on disk before it is answered."""
    command = program("redis-server", "redis-server")
    folder, port = Path(tempfile.mkdtemp(prefix="ff-redis-")), free_port()
    flags = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    flags += ["--appendonly", "yes", "--appendfsync", "always", *settings]
    server = Redis(folder, port, [command, *flags])
    try:
        server.start()
        yield server
    finally:
        server.stop(signal.SIGTERM)
        shutil.rmtree(folder, ignore_errors=True)


class RabbitMQ(Server):
    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"


@contextmanager
def rabbitmq_server():
    """Start RabbitMQ with a name service of its own."""
    command = program("rabbitmq-server", "rabbitmq-server", "/usr/lib/rabbitmq/bin")
    if os.geteuid() == 0 and Path("/usr/lib/rabbitmq/bin/rabbitmq-server").exists():
        command = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # the one in PATH changes the user
    epmd_program = program("epmd", "rabbitmq-server")
    folder, port, names_port = Path(tempfile.mkdtemp(prefix="ff-rabbit-")), free_port(), free_port()
    (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    (folder / "plugins").write_text("[].")
    environment = {
        **os.environ,
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(names_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"ff{port}@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "logs"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
    }
    names = subprocess.Popen(
        [epmd_program, "-port", str(names_port), "-address", "127.0.0.1"], env=environment
    )
    server = RabbitMQ(folder, port, [command], env=environment, cwd=folder)
    try:
        wait_for_port(names_port, names)
        server.start()
        yield server
    finally:
        server.stop(signal.SIGTERM)
        names.kill()
        names.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres():
    with postgres_server() as server:
        yield server
