"""`telecine demo`: what a newcomer sees first."""

import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from telecine.processes.exits import Exit
from tests.fixtures.server import environment_without_settings, telecine
from tests.fixtures.waiting import PATIENCE_S

ANY_PORTS = {
    "TELECINE_PORT": "0",
    "TELECINE_RTMP_PORT": "0",
    "TELECINE_RTMPS_PORT": "0",
    "TELECINE_SRT_PORT": "0",
}


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        telecine("demo"),
        cwd=tmp_path,
        env={**environment_without_settings(), **ANY_PORTS},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    never = threading.Timer(PATIENCE_S, process.kill)  # the pipe ends, and what was said is shown
    never.start()
    with process:
        yield process
        never.cancel()
        process.kill()


def test_a_clip_plays_and_ctrl_c_ends_it(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    assert demo.stdout is not None
    said: list[str] = []
    for line in demo.stdout:
        said.append(line)
        if line.startswith("Press Ctrl-C"):
            break
    printed = "".join(said)
    urls = re.findall(r"http://\S+", printed)
    assert re.search(r"\d s|\d\.\d+ s", printed), printed
    playlist = next((url for url in urls if url.endswith(".m3u8")), None)
    page = next((url for url in urls if re.search(r"/vod/vi\w+$", url)), None)
    assert playlist, printed
    assert page, printed
    master = httpx.get(playlist, timeout=PATIENCE_S).raise_for_status().text
    variant = next(line for line in master.splitlines() if line.endswith(".m3u8"))
    media = httpx.get(urljoin(playlist, variant), timeout=PATIENCE_S).raise_for_status().text
    segment = next(line for line in media.splitlines() if line.endswith(".m4s"))
    assert (
        httpx.get(urljoin(urljoin(playlist, variant), segment), timeout=PATIENCE_S)
        .raise_for_status()
        .content
    )
    assert page.rpartition("/")[2] in httpx.get(page, timeout=PATIENCE_S).raise_for_status().text
    assert (tmp_path / "telecine-demo").is_dir()
    demo.send_signal(signal.SIGINT)
    assert demo.wait(PATIENCE_S) == Exit.DONE
