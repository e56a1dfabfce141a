"""What `telecine doctor` looks at: one function per part, each with a clear answer."""

import asyncio
import enum
import os
import socket
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
from sqlalchemy.exc import SQLAlchemyError

from telecine import clock, ids
from telecine.db.account import EmbeddedError
from telecine.db.embedded import find_binaries, running_url
from telecine.db.engine import Database
from telecine.db.release import SCHEMA_OF, Fit, fit, newest_revision
from telecine.ffmpeg import binary
from telecine.ffmpeg.errors import RunnerError
from telecine.ffmpeg.runner import Runner
from telecine.ffmpeg.sandbox import layers
from telecine.jobs import health
from telecine.jobs.health import WorkerState
from telecine.processes.exits import CannotGoOn
from telecine.processes.folder import DataFolder
from telecine.processes.listening import LIVE_PORTS, listen
from telecine.settings import Settings, environment_name
from telecine.storage.open import open_store
from telecine.storage.store import StoreError

_OLDEST_POSTGRES = 160_000
_TIMEOUT_S = 10.0
_MIB = 1 << 20


class Verdict(enum.StrEnum):
    """How much a finding matters."""

    GOOD = "ok"
    NOTE = "note"
    BAD = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about one part."""

    part: str
    verdict: Verdict
    text: str


async def check_all(settings: Settings) -> list[Finding]:
    """Look at everything that Telecine needs on this machine."""
    folder = DataFolder(settings.data)
    running = folder.is_claimed()
    media = await asyncio.gather(check_ffmpeg(settings), check_sandbox(settings))
    return [
        check_folder(folder, running=running),
        check_disk(folder, settings.disk_reserve_mib),
        *([await check_server(settings)] if running else check_ports(settings)),
        await check_database(settings),
        *(await check_workers(settings) if running or settings.database_url else ()),
        await check_storage(settings, running=running),
        *media,
    ]


def check_folder(folder: DataFolder, *, running: bool) -> Finding:
    """Tell whether the data folder can be used."""
    if running:
        return Finding("data folder", Verdict.GOOD, f"{folder.path}, Telecine runs on it")
    existing = next(p for p in (folder.path, *folder.path.parents) if p.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Finding("data folder", Verdict.BAD, f"{existing} cannot be written")
    state = "free" if folder.path.exists() else "will be made"
    return Finding("data folder", Verdict.GOOD, f"{folder.path}, {state}")


def check_disk(folder: DataFolder, reserve_mib: int) -> Finding:
    """Tell how much room is left."""
    free_mib = folder.free_mib()
    verdict = Verdict.GOOD if free_mib >= reserve_mib else Verdict.BAD
    return Finding("disk", verdict, f"{free_mib} MiB free, {reserve_mib} MiB needed")


def check_ports(settings: Settings) -> list[Finding]:
    """Tell whether the ports can be had."""
    wanted = [("port", settings.port, "--port or TELECINE_PORT", socket.SOCK_STREAM)]
    if settings.live_processes:
        wanted += [
            (
                f"{name.split('_')[0].upper()} port",
                getattr(settings, name),
                environment_name(name),
                kind,
            )
            for name, kind in LIVE_PORTS.items()
        ]
    return [_check_port(settings.host, *each) for each in wanted]


def _check_port(host: str, part: str, port: int, names: str, kind: socket.SocketKind) -> Finding:
    try:
        for listener in listen(host, port, names, kind):
            listener.close()
    except CannotGoOn as error:
        return Finding(part, Verdict.BAD, str(error))
    return Finding(part, Verdict.GOOD, f"{port} on {host} is free")


async def check_server(settings: Settings) -> Finding:
    """Ask the running server whether it is ready."""
    url = f"{settings.public_url}/readyz"
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False) as client:
            reply = await client.get(url)
    except httpx.TransportError as error:
        return Finding("server", Verdict.BAD, f"{url} does not answer: {error}")
    if reply.is_success:
        return Finding("server", Verdict.GOOD, f"ready at {settings.public_url}")
    return Finding("server", Verdict.BAD, f"{url} answers {reply.status_code}: {reply.text}")


async def check_database(settings: Settings) -> Finding:
    """Tell version and schema of the database, if there is one yet."""
    url = database_url(settings)
    if url is None:
        return _check_embedded(settings.data)
    try:
        async with await psycopg.AsyncConnection.connect(url, connect_timeout=10) as connection:
            version = connection.info.server_version
            try:
                schema = await (await connection.execute(SCHEMA_OF)).fetchone()
            except psycopg.errors.UndefinedTable:
                schema = None
    except psycopg.OperationalError as error:
        return Finding("database", Verdict.BAD, f"cannot be reached: {str(error).strip()}")
    name = f"PostgreSQL {version // 10_000}.{version % 10_000}"
    if version < _OLDEST_POSTGRES:
        return Finding("database", Verdict.BAD, f"{name} is too old: 16 or newer is needed")
    if schema is None:
        return Finding("database", Verdict.NOTE, f"{name}, empty: the first start fills it")
    verdict, text = _schema_state(*schema)
    return Finding("database", verdict, f"{name}, schema {schema[0]}{text}")


def _schema_state(revision: str, release: int) -> tuple[Verdict, str]:
    match fit(revision, release):
        case Fit.SAME:
            return Verdict.GOOD, ""
        case Fit.OLDER:
            return Verdict.NOTE, f": the next start migrates it to {newest_revision()}"
        case Fit.NEXT:
            return Verdict.NOTE, " of the next release, which this one works with"
        case Fit.TOO_NEW:
            return Verdict.BAD, f" is too new for this release, which knows {newest_revision()}"


async def check_workers(settings: Settings) -> list[Finding]:
    """Tell who works, on all machines that share the database."""
    url = database_url(settings)
    if url is None:
        return []
    database = Database(url, pool_size=1)
    try:
        async with asyncio.timeout(_TIMEOUT_S), database.transaction() as tx:
            workers = await health.workers(tx)
    except (TimeoutError, OSError, SQLAlchemyError):
        return []  # what is wrong with the database is said already
    finally:
        await database.close()
    if not workers:
        return [Finding("worker", Verdict.BAD, "none runs: nothing is encoded")]
    return [_worker(each) for each in workers]


def _worker(worker: WorkerState) -> Finding:
    silent_s = (clock.now() - worker.seen_at).total_seconds()
    slots = ", ".join(f"{count} {lane}" for lane, count in worker.slots.items())
    room = "" if worker.free_bytes is None else f", {worker.free_bytes // _MIB} MiB free"
    text = (
        f"{worker.host}, process {worker.pid}, version {worker.version}, seen {silent_s:.0f} s "
        f"ago, {len(worker.jobs)} jobs running (at most {slots}){room}"
    )
    return Finding("worker", Verdict.GOOD if worker.alive else Verdict.NOTE, text)


def database_url(settings: Settings) -> str | None:
    """Return the URL of the given or the running database, if there is one."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return running_url(settings.data) if DataFolder(settings.data).is_claimed() else None


def _check_embedded(home: Path) -> Finding:
    try:
        programs = find_binaries()
    except EmbeddedError as error:
        return Finding("database", Verdict.BAD, str(error))
    made = (home / "postgres" / "PG_VERSION").exists()
    state = "stopped" if made else "will be made"
    return Finding("database", Verdict.GOOD, f"embedded, {state} ({programs})")


async def check_storage(settings: Settings, *, running: bool) -> Finding:
    """Write an object, read it and delete it."""
    if settings.storage.startswith("file:") and not running:
        return Finding("storage", Verdict.GOOD, f"{settings.storage}, will be made if absent")
    key, data = f"doctor/{ids.nonce()}", ids.random_bytes(64)
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            store = open_store(settings.storage, os.environ)
            await store.put(key, data)
            same = await store.read(key) == data
            await store.delete([key])
            free_bytes = await store.free_bytes()
    except (StoreError, OSError, TimeoutError) as error:
        return Finding("storage", Verdict.BAD, f"{settings.storage}: {error or 'no answer'}")
    if not same:
        return Finding("storage", Verdict.BAD, f"{settings.storage}: read back other bytes")
    room = "" if free_bytes is None else f", {free_bytes // _MIB} MiB free"
    return Finding("storage", Verdict.GOOD, f"{settings.storage} can be written and read{room}")


async def check_ffmpeg(settings: Settings) -> Finding:
    """Tell which ffmpeg is used."""
    try:
        path = find_ffmpeg(settings)
        version = await asyncio.to_thread(binary.version, path)
    except RunnerError as error:
        return Finding("ffmpeg", Verdict.BAD, f"{error}. Set TELECINE_FFMPEG.")
    return Finding("ffmpeg", Verdict.GOOD, f"{version} ({path})")


def find_ffmpeg(settings: Settings) -> Path:
    """Return the ffmpeg of the settings. Raises RunnerError."""
    return binary.find_ffmpeg(str(settings.ffmpeg) if settings.ffmpeg else None)


async def check_sandbox(settings: Settings) -> Finding:
    """Tell which layers confine media programs on this machine."""
    if settings.sandbox == "off":
        return Finding("sandbox", Verdict.NOTE, "switched off by TELECINE_SANDBOX")
    try:
        held = await layers(Runner(find_ffmpeg(settings), settings.sandbox))
    except RunnerError as error:
        return Finding("sandbox", Verdict.BAD, f"{error}")
    text = ", ".join(f"{name}: {'yes' if state is True else state}" for name, state in held.items())
    return Finding("sandbox", Verdict.GOOD, text)
