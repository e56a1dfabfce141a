"""One spawned process: descriptors at fixed numbers, a session of its own, reaped once."""

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended and what it used (wait4(2))."""

    returncode: int
    """Exit status, or minus the signal's number."""

    cpu_s: float
    peak_memory_bytes: int


def _environment() -> dict[str, str]:
    """Return what the interpreter of the launcher may need to start, and no secret."""
    return {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}


class Child:
    """A process that is spawned, watched through a pidfd and reaped by the event loop.

    Must be created on the thread that runs the loop, for as long as that thread lives: the
    kernel kills the process when the thread that made it ends (PR_SET_PDEATHSIG).
    """

    def __init__(
        self,
        argv: Sequence[str],
        files: Mapping[int, int],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Spawn `argv`; `files` maps its descriptor numbers to ours, which stay open here.

        Without an `environment` it gets what the launcher needs, and no secret.

        Raises:
            OSError: the system refuses another process.
        """
        self._loop = asyncio.get_running_loop()
        self.pid = _spawn(argv, files, _environment() if environment is None else environment)
        self.exited: asyncio.Future[Exit] = self._loop.create_future()
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except OSError:  # no descriptor left
            os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            raise
        self._loop.add_reader(self._pidfd, self._reap)

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        _, status, usage = os.wait4(self.pid, 0)
        self.exited.set_result(
            Exit(
                os.waitstatus_to_exitcode(status),
                usage.ru_utime + usage.ru_stime,
                usage.ru_maxrss * 1024,
            )
        )

    async def wait(self) -> Exit:
        """Wait until the process has ended."""
        return await asyncio.shield(self.exited)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and whatever shares its group; ignored if it ended."""
        if not self.exited.done():
            with contextlib.suppress(ProcessLookupError):  # ended, but not yet reaped
                os.killpg(self.pid, number)

    async def kill(self) -> None:
        """Kill the process and wait until it is gone, however often we are cancelled."""
        self.signal(signal.SIGKILL)
        cancelled: asyncio.CancelledError | None = None
        while not self.exited.done():
            try:
                await self.wait()
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled


def _spawn(argv: Sequence[str], files: Mapping[int, int], environment: Mapping[str, str]) -> int:
    # Sources are first moved above all targets, so that no dup2 overwrites a source.
    floor = max(files) + 1
    moved: list[int] = []
    actions: list[tuple[int, int, int]] = []
    try:
        for target, source in files.items():
            moved.append(fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, floor))
            actions.append((os.POSIX_SPAWN_DUP2, moved[-1], target))
        return os.posix_spawn(
            argv[0],
            list(argv),
            environment,
            file_actions=actions,
            setsid=True,
            # A service manager stops a whole group at once. ffmpeg would end early with a
            # status that looks like a broken file; so only we, with SIGKILL, end it.
            setsigmask=(signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
            setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
        )
    finally:
        for fd in moved:
            os.close(fd)
