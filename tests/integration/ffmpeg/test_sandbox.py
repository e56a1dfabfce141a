"""A program that was taken over by a hostile file can do nothing but its work."""

import ast
import asyncio
import os
import signal
import textwrap
from pathlib import Path

import pytest

from telecine.ffmpeg.confinement import NOBODY
from telecine.ffmpeg.errors import MediaError, RunnerError
from telecine.ffmpeg.runner import Runner, output_url
from telecine.ffmpeg.sandbox import SandboxPolicy, layers
from tests.integration.ffmpeg.conftest import ENDLESS, LIMITS, Loopback
from tests.integration.ffmpeg.processes import children

pytestmark = pytest.mark.anyio

ATTEMPTS = """
import errno, os, signal, socket, sys, threading
port, folder, outsider = {port}, {folder!r}, {outsider}

def connect():
    socket.create_connection(("127.0.0.1", port), 1)

def send():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"out", ("127.0.0.1", port))

def abstract():
    socket.socket(socket.AF_UNIX).connect("\\0out")

def think():
    done = []
    thread = threading.Thread(target=done.append, args=[1])
    thread.start()
    thread.join()
    return done

def thread_kill():
    signal.pthread_kill(threading.get_ident(), 0)
    os.kill(outsider, 0)

attempts = dict(
    password=lambda: open("/etc/passwd").read(),
    others_memory=lambda: open(f"/proc/{{outsider}}/mem", "rb"),
    others_environment=lambda: open(f"/proc/{{outsider}}/environ", "rb").read(),
    list_files=lambda: os.listdir("/etc"),
    write=lambda: open(folder + "/new", "w"),
    overwrite=lambda: open(folder + "/old", "r+"),
    remove=lambda: os.unlink(folder + "/old"),
    chmod=lambda: os.chmod(folder + "/old", 0o777),
    touch=lambda: os.utime(folder + "/old"),
    link=lambda: os.symlink("/etc/passwd", folder + "/link"),
    connect=connect, send=send, abstract=abstract,
    resolve=lambda: socket.gethostbyname("localhost."),
    fork=os.fork,
    execute=lambda: os.execv("/bin/sh", ["sh", "-c", "exit"]),
    execute_again=lambda: os.execv(sys.executable, ["python", "-c", "0"]),
    spawn=lambda: os.posix_spawn("/bin/sh", ["sh"], {{}}),
    signal_parent=lambda: os.kill(os.getppid(), 0),
    signal_other=thread_kill,
    become_root=lambda: os.setuid(0),
    new_root=lambda: os.chroot("/"),
    think=think,
    look_around=lambda: sorted(os.environ),
    descriptors=lambda: [int(fd) for fd in range(3, 64) if _open(fd)],
)

def _open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True

results = {{}}
for name, attempt in attempts.items():
    try:
        results[name] = ("did", attempt())
    except OSError as error:
        results[name] = ("refused", type(error).__name__)
os.write(10, repr(results).encode())
"""

HARMLESS = {"think", "look_around", "descriptors"}


async def run_code(runner: Runner, code: str) -> bytes:
    """Run `code` confined, by way of a module that runs its argument; return descriptor 10."""
    got = bytearray()
    await runner.run_python(
        "timeit",
        limits=LIMITS,
        arguments=["-n1", "-r1", f"exec({textwrap.dedent(code)!r}, {{}})"],
        outputs=[got.extend],
    )
    return bytes(got)


@pytest.fixture
async def results(
    runner: Runner, loopback: Loopback, tmp_path: Path
) -> dict[str, tuple[str, object]]:
    tmp_path.chmod(0o777)
    (tmp_path / "old").write_text("kept")
    (tmp_path / "old").chmod(0o666)
    outsider = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        code = ATTEMPTS.format(port=loopback.port, folder=str(tmp_path), outsider=outsider.pid)
        said = await run_code(runner, code)
    finally:
        outsider.kill()
        await outsider.wait()
    found: dict[str, tuple[str, object]] = ast.literal_eval(said.decode())
    return found


async def test_nothing_beyond_the_work_is_possible(
    results: dict[str, tuple[str, object]], loopback: Loopback, tmp_path: Path
) -> None:
    did = {name for name, (outcome, _) in results.items() if outcome == "did"}
    assert did == HARMLESS
    assert len(results) > 20
    assert loopback.visits() == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old"]
    assert (tmp_path / "old").read_text() == "kept"


async def test_threads_work_and_nothing_is_inherited(
    results: dict[str, tuple[str, object]],
) -> None:
    assert results["think"] == ("did", [1])
    assert results["descriptors"] == ("did", [10])
    names = results["look_around"][1]
    assert isinstance(names, list)
    assert not {"PATH", "HOME", "DATABASE_URL"} & {*names}


async def test_the_refused_is_possible_without_sandbox(
    ffmpeg_path: Path, loopback: Loopback
) -> None:
    """Shows that the attempts above would be seen if they succeeded."""
    code = f"""
    import os, socket
    socket.create_connection(("127.0.0.1", {loopback.port}))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.sendto(b"out", ("127.0.0.1", {loopback.port}))
    os.write(10, open("/etc/passwd", "rb").read(4))
    """
    assert await run_code(Runner(ffmpeg_path, "off"), code)
    assert loopback.visits() == 2


@pytest.mark.parametrize("scheme", ["http", "tcp", "udp"])
async def test_ffmpeg_cannot_send(runner: Runner, loopback: Loopback, scheme: str) -> None:
    url = f"{scheme}://127.0.0.1:{loopback.port}"
    with pytest.raises(MediaError):
        await runner.run(
            ["-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x36:d=1", "-f", "mpegts", url],
            limits=LIMITS,
        )
    assert loopback.visits() == 0


async def test_ffmpeg_cannot_read_files(runner: Runner) -> None:
    got = bytearray()
    with pytest.raises(MediaError, match="Permission denied"):
        await runner.run(
            ["-v", "error", "-f", "data", "-i", "/etc/passwd", "-map", "0", "-c", "copy",
             "-f", "data", output_url(0)],
            limits=LIMITS, outputs=[got.extend],
        )  # fmt: skip
    assert not got


async def test_a_device_is_let_through_for_the_run_that_names_it(runner: Runner) -> None:
    size = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", "16x16"]
    read = ["-v", "error", *size, "-i", "/dev/zero", "-frames:v", "1", "-f", "rawvideo"]
    got = bytearray()
    with pytest.raises(MediaError, match="Permission denied"):
        await runner.run([*read, output_url(0)], limits=LIMITS, outputs=[got.extend])
    assert not got
    for devices in (["/dev/zero"], ["/dev/of-nobody", "/dev/zero"]):
        await runner.run(
            [*read, output_url(0)], limits=LIMITS, outputs=[got.extend], devices=devices
        )
    assert bytes(got) == bytes(2 * 16 * 16)


async def test_ffmpeg_cannot_write_files(runner: Runner, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(MediaError):
        await runner.run(
            ["-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x36:d=1", str(tmp_path / "a.mp4")],
            limits=LIMITS,
        )
    assert list(tmp_path.iterdir()) == []


async def test_the_layers_are_told(runner: Runner) -> None:
    found = await layers(runner)
    assert set(found) == {"landlock", "seccomp", "namespaces", "user"}
    assert found["seccomp"] is True
    if os.geteuid() == 0:
        assert found["user"] == str(NOBODY)  # ffmpeg needs no folder that is root's alone


LIMITED = {
    "CPU": (LIMITS.cpu_s, LIMITS.cpu_s + 2),
    "AS": (LIMITS.memory_bytes, LIMITS.memory_bytes),
    "FSIZE": (0, 0),
    "NOFILE": (64, 64),
    "CORE": (0, 0),
}
"""Soft and hard limits of every run."""


async def limits_inside(runner: Runner) -> dict[str, tuple[int, int]]:
    code = f"""
    import os, resource
    kinds = {{name: getattr(resource, "RLIMIT_" + name) for name in {[*LIMITED]}}}
    told = {{name: resource.getrlimit(kind) for name, kind in kinds.items()}}
    os.write(10, repr(told).encode())
    """
    found: dict[str, tuple[int, int]] = ast.literal_eval((await run_code(runner, code)).decode())
    return found


async def test_without_sandbox_the_limits_remain(ffmpeg_path: Path) -> None:
    unconfined = Runner(ffmpeg_path, "off")
    assert set((await layers(unconfined)).items()) >= {("landlock", "off"), ("seccomp", "off")}
    assert await limits_inside(unconfined) == LIMITED


async def test_a_confined_run_is_limited_too(runner: Runner) -> None:
    assert await limits_inside(runner) == LIMITED


@pytest.mark.parametrize("policy", ["required", "off"])
async def test_a_run_is_the_first_to_go_where_memory_is_short(
    ffmpeg_path: Path, policy: SandboxPolicy
) -> None:
    """Seen from outside: the confined cannot look at itself."""
    scores: set[str] = set()

    def look(_: bytes) -> None:
        for pid in children():
            scores.add(Path(f"/proc/{pid}/oom_score_adj").read_text().strip())
            os.kill(pid, signal.SIGKILL)

    with pytest.raises(RunnerError, match="killed"):
        await Runner(ffmpeg_path, policy).run(ENDLESS, limits=LIMITS, outputs=[look])
    assert scores == {"800"}


async def test_a_confined_module_imports_what_a_probe_needs(runner: Runner) -> None:
    code = """
    import os, av, numpy, telecine.formats.mp4.index
    os.write(10, b"imported")
    """
    assert await run_code(runner, code) == b"imported"
