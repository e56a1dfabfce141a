"""What the supervisor's commands run, made from the settings."""

import asyncio
import importlib.util
import json
import os
import shutil
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from telecine import ids
from telecine.processes import systemd
from telecine.processes.child import KeptChild, Program, ask
from telecine.processes.control import Briefing
from telecine.processes.exits import CannotGoOn, Exit
from telecine.processes.folder import DataFolder, prepare_store
from telecine.processes.forks import Forks
from telecine.processes.listening import LIVE_PORTS, listen, listen_for_nodes
from telecine.processes.spawning import Spawned
from telecine.processes.supervisor import DatabaseServer, Supervisor
from telecine.settings import Settings, environment_name, load

if TYPE_CHECKING:
    from telecine.processes.preparation import FirstKeys

API_GRACE_S = 20.0
"""An API process drains for 15 s by itself."""

WORKER_GRACE_S = 20.0
LIVE_GRACE_S = 20.0

_GRACE_S = {"api": API_GRACE_S, "live": LIVE_GRACE_S, "worker": WORKER_GRACE_S}
"""How long the processes of each kind may take to stop; in this order they do."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What a person is told once requests are answered."""

    settings: Settings
    first_keys: "FirstKeys | None"
    live: bool = False  # whether encoders can connect


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Which processes a command runs. `embedded`: a database too, if none is given."""

    embedded: bool
    api: bool = False
    worker: bool = False
    live: bool = False


ALL = Parts(embedded=True, api=True, worker=True, live=True)


def run(
    settings: Settings,
    parts: Parts,
    on_ready: Callable[[Ready], None],
    flags: Mapping[str, object],
    zygote: Spawned | None = None,
) -> None:
    """Run `parts` until a signal; `flags` of the command line hold for children too.

    `zygote`: where one was spawned in advance.

    Raises:
        CannotGoOn: with the exit status and what to do.
    """
    with ExitStack() as stack:
        folder = DataFolder(settings.data)
        if parts.embedded:
            stack.enter_context(folder.claimed())
        folder.prepare(claimed=parts.embedded)
        folder.check_room(settings.disk_reserve_mib)
        if parts.worker and settings.worker_processes:
            check_ffmpeg(settings.ffmpeg)
        listeners: dict[str, tuple[socket.socket, ...]] = {}
        if parts.api:
            opened = listeners["api"] = listen(settings.host, settings.port)
            for each in opened:
                stack.enter_context(each)
            # The real port, where any free one was asked for, is also the public URL's.
            flags = {**flags, "port": opened[0].getsockname()[1]}
        if parts.live and settings.live_processes:
            check_certificate(settings)
            listeners["live"] = ()
            for name, kind in LIVE_PORTS.items():
                port: int = getattr(settings, name)
                opened = listen(settings.host, port, environment_name(name), kind)
                listeners["live"] += opened
                for each in opened:
                    stack.enter_context(each)
                flags = {**flags, name: opened[0].getsockname()[1]}
            if settings.live_node_address:
                opened, address = listen_for_nodes(settings.live_node_address)
                listeners["live"] += opened
                for each in opened:
                    stack.enter_context(each)
                flags = {**flags, "live_node_address": address}
        settings = load(**flags)
        prepare_store(settings.storage, claimed=parts.embedded)
        installation = _Installation(settings, parts, folder, listeners, flags, zygote)
        asyncio.run(installation.run(on_ready))


def check_certificate(settings: Settings) -> None:
    """Check that files which the settings name can be read.

    Raises:
        CannotGoOn: one cannot.
    """
    for name in ("rtmps_certificate", "rtmps_key"):
        path: Path | None = getattr(settings, name)
        if path is not None and not os.access(path, os.R_OK):
            msg = f"{path} cannot be read ({environment_name(name)})."
            raise CannotGoOn(Exit.SETTINGS_WRONG, msg)


def check_ffmpeg(setting: Path | None) -> None:
    """Check that there is an ffmpeg, without the time that running it takes.

    Raises:
        CannotGoOn: there is none.
    """
    if setting is not None:
        if shutil.which(str(setting)) is None:
            msg = f"There is no program at {setting} (TELECINE_FFMPEG)."
            raise CannotGoOn(Exit.FFMPEG_MISSING, msg)
        return
    wheel = importlib.util.find_spec("imageio_ffmpeg")
    folders = (wheel.submodule_search_locations or []) if wheel else []
    if "IMAGEIO_FFMPEG_EXE" not in os.environ and not any(
        any(Path(folder).glob("binaries/ffmpeg-*")) for folder in folders
    ):
        msg = "There is no ffmpeg for this platform: install one and set TELECINE_FFMPEG."
        raise CannotGoOn(Exit.FFMPEG_MISSING, msg)


class _Installation:
    """One run of the supervisor."""

    def __init__(
        self,
        settings: Settings,
        parts: Parts,
        folder: DataFolder,
        listeners: Mapping[str, tuple[socket.socket, ...]],
        flags: Mapping[str, object],
        zygote: Spawned | None,
    ) -> None:
        self._settings = settings
        self._parts = parts
        self._folder = folder
        self._listeners = listeners
        environment = {
            **{environment_name(name): str(value) for name, value in flags.items()},
            "PROMETHEUS_MULTIPROC_DIR": str(folder.metrics),
        }
        self._first_keys: FirstKeys | None = None
        self._children: list[KeptChild] = []
        groups = (self._programs(kind) for kind in _GRACE_S)
        self._groups = [group for group in groups if group]
        self._forks = Forks(environment, zygote)
        self._closing = ExitStack()

    async def run(self, on_ready: Callable[[Ready], None]) -> None:
        supervisor = Supervisor(
            self._database,
            self._groups,
            [each for opened in self._listeners.values() for each in opened],
            self._forks,
            self._brief,
            lambda: self._tell(on_ready),
        )
        self._children = supervisor.children
        with self._closing:
            await supervisor.run()

    def _tell(self, on_ready: Callable[[Ready], None]) -> None:
        systemd.notify("READY=1")
        on_ready(Ready(self._settings, self._first_keys, "live" in self._listeners))

    def _programs(self, kind: str) -> list[Program]:
        if not getattr(self._parts, kind):
            return []
        count: int = getattr(self._settings, f"{kind}_processes")
        return [
            Program(
                name=f"{kind}-{number}",
                kind=kind,
                grace_s=_GRACE_S[kind],
                listeners=self._listeners.get(kind, ()),
            )
            for number in range(count)
        ]

    def _database(self) -> DatabaseServer:
        # Imported only now: children are importing already, and the driver of the
        # database would hold up their start.
        from telecine.processes import database  # noqa: PLC0415

        given = self._settings.database_url
        if given is not None:
            return database.GivenDatabase(given.get_secret_value(), self._settings.storage)
        if self._parts.embedded:
            return database.EmbeddedServer(self._folder.path)
        running = database.running_beside(self._folder.path)
        if running is None:
            msg = "No database: set DATABASE_URL, or run `telecine serve` on this data folder."
            raise CannotGoOn(Exit.DATABASE_FAILED, msg)
        return database.GivenDatabase(running, self._settings.storage)

    def _secret_key(self) -> str:
        if self._settings.secret_key is not None:
            return self._settings.secret_key.get_secret_value()
        if not self._parts.embedded and not self._folder.has("secret.key"):
            # One of its own would make tokens that the other nodes refuse.
            msg = "Set TELECINE_SECRET_KEY, to the same text on every node."
            raise CannotGoOn(Exit.SETTINGS_WRONG, msg)
        return self._folder.secret("secret.key")

    async def _brief(self, url: str) -> Briefing:
        from telecine.processes import metrics, preparation  # noqa: PLC0415 - as above

        if self._settings.metrics_port:
            port = self._settings.metrics_port
            self._closing.callback(metrics.serve(port, self._folder.metrics, self._children))
        operator_key = self._settings.operator_key
        briefing = Briefing(
            url,
            self._secret_key(),
            ids.digest(
                operator_key.get_secret_value()
                if operator_key
                else self._folder.secret("operator.key")
            ).hex(),
        )
        if not await preparation.is_prepared(url):
            program = Program(name="prepare", kind="prepare", grace_s=0)
            answer = json.loads(await ask(self._forks, program, briefing) or "{}")
            if "made" not in answer:
                message = answer.get("message", "The database could not be prepared; see above.")
                raise CannotGoOn(Exit(answer.get("status", Exit.DATABASE_FAILED)), message)
            if answer["made"]:
                self._first_keys = preparation.FirstKeys(**answer["made"])
        return briefing
