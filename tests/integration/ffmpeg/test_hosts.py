"""The sandbox on machines that lack a layer, and what a dead parent leaves behind."""

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.waiting import PATIENCE_S
from tests.integration.ffmpeg.processes import wait_until_dead

ROOT = Path(__file__).parents[3]


def start(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.integration.ffmpeg.weak_host", *words]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip


def said(*words: str) -> str:
    with start(*words) as host:
        text = host.communicate(timeout=PATIENCE_S)[0]
    assert host.returncode == 0
    return text


def layers(*words: str) -> dict[str, object]:
    found: dict[str, object] = ast.literal_eval(said(*words))
    return found


def test_all_layers_hold_without_root_where_users_may_have_namespaces() -> None:
    found = layers("nobody")
    assert isinstance(found["landlock"], int)
    assert found["seccomp"] is True
    unshare = ["setpriv", "--reuid=65534", "--clear-groups", "unshare", "-Un", "true"]
    permitted = subprocess.run(unshare, check=False, capture_output=True).returncode == 0
    assert (found["namespaces"] is True) == permitted


@pytest.mark.parametrize("user", [[], ["nobody"]])
def test_seccomp_alone_is_enough(user: list[str]) -> None:
    found = layers("no-landlock", *user)
    assert found["landlock"] == "Function not implemented"
    assert found["seccomp"] is True


def test_landlock_alone_is_enough() -> None:
    found = layers("no-seccomp")
    assert isinstance(found["landlock"], int)
    assert found["seccomp"] is not True


@pytest.mark.parametrize("user", [[], ["nobody"]])
def test_without_both_nothing_runs(user: list[str]) -> None:
    text = said("no-landlock", "no-seccomp", *user)
    assert "neither seccomp nor Landlock is available" in text
    assert "landlock: Function not implemented" in text


@pytest.mark.parametrize("user", [[], ["nobody"]])
def test_the_child_dies_with_its_parent(user: list[str]) -> None:
    with start("endless", *user) as host:
        assert host.stdout is not None
        child = int(host.stdout.readline())
        host.send_signal(signal.SIGKILL)
        assert wait_until_dead(child)
