"""A whole Telecine of a benchmark's own, and what its processes use."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from telecine import ids
from telecine.db.embedded import running_url

_STOP_S = 60


@dataclass(frozen=True, slots=True)
class Telecine:
    """A running installation."""

    base_url: str
    key: str
    data: Path
    pid: int
    started_s: float
    """From the command to the line that says that it serves."""

    @property
    def database_url(self) -> str:
        """The URL of its embedded database."""
        url = running_url(self.data)
        if url is None:
            raise SystemExit("the embedded database does not run")
        return url

    def api_processes(self) -> list[int]:
        """Return the processes that answer requests."""
        return [pid for pid in family(self.pid) if name_of(pid).startswith("api-")]


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Give a data folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="telecine-benchmark-") as made:
        # An unprivileged database server must be able to walk there.
        os.chmod(made, 0o755)  # noqa: PTH101
        yield Path(made) / "data"


@contextlib.contextmanager
def serving(data: Path, **settings: str) -> Iterator[Telecine]:
    """Run `telecine serve` on a folder; `settings` are those of its environment."""
    key = ids.secret("benchmark_")
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("TELECINE_", "DATABASE_"))},
        "TELECINE_DATA": str(data),
        "TELECINE_PORT": "0",
        "TELECINE_METRICS_PORT": "0",
        "TELECINE_RTMP_PORT": "0",
        "TELECINE_RTMPS_PORT": "0",
        "TELECINE_SRT_PORT": "0",
        "TELECINE_API_KEY": key,
        "TELECINE_LOG_LEVEL": "warning",
        **settings,
    }
    begun_s = time.perf_counter()
    process = subprocess.Popen(
        [Path(sys.executable).with_name("telecine"), "serve"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        cwd=data.parent,
    )
    try:
        line = ""
        while not line.startswith("Telecine serves "):  # where encoders publish is told as well
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise SystemExit("Telecine did not start")
        started_s = time.perf_counter() - begun_s
        yield Telecine(line.split()[-1], key, data, process.pid, started_s)
    finally:
        process.terminate()
        process.wait(_STOP_S)


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def family(root: int) -> list[int]:
    """Return a process and all processes below it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(entry.name))
    found, left = [], [root]
    while left:
        found.append(left.pop())
        left += parents.get(found[-1], [])
    return found


def cpu_s(pids: Collection[int]) -> float:
    """Return the CPU time that living processes have used, in seconds (ticks of 10 ms)."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def pss_mib(pid: int) -> float:
    """Return the memory of a process, what it shares counted by its share, in MiB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def name_of(pid: int) -> str:
    """Return a few words that tell which process it is."""
    words = _command(pid).split()
    if "telecine.processes.zygote" in words:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        return name if "-" in name else "zygote"
    if words and "postgres" in words[0]:  # one that has ended has none
        return " ".join(words[:1] if "/" in words[0] else words[:3]).rpartition("/")[2]
    return "supervisor" if "serve" in words else " ".join(words)[:60]


def machine() -> str:
    """Return what a reader must know of this machine."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.uname().machine}, {os.cpu_count()} cores, load {load}"


def _command(pid: int) -> str:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip() + " "
    return " "
