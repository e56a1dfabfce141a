"""Official client packages, installed once into `tests/.cache/clients`.

Each lives in a folder of its own: several versions of one client cannot share one.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fixtures.waiting import PATIENCE_S

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".tools"
CACHE = ROOT / "tests" / ".cache" / "clients"
REQUIRE_ALL = "TELECINE_REQUIRE_ALL"

LIMIT_S = 2 * PATIENCE_S
"""Programs of others do much in one run, some install themselves first."""


def missing(reason: str) -> None:
    """Skip for want of a program; fail where every program must be there."""
    if os.environ.get(REQUIRE_ALL) == "1":
        pytest.fail(f"{REQUIRE_ALL}=1, but {reason}")
    pytest.skip(reason)


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """Let one process at a time fill a folder of the cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _once(name: str, fill: Callable[[Path], None]) -> Path:
    """Return the folder `name` of the cache, filled by `fill` if it is not there yet."""
    folder = CACHE / name
    with _locked(name):
        if not folder.exists():
            draft = CACHE / f"{name}.new"
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            fill(draft)
            draft.rename(folder)
    return folder


def run(
    argv: Sequence[object],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a program and return what it printed, which is also the reason of a failure."""
    words = [str(word) for word in argv]
    done = subprocess.run(
        words, cwd=cwd, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    if done.returncode:
        pytest.fail(
            f"{' '.join(words)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}", pytrace=False
        )
    return done.stdout + done.stderr


def _pip() -> list[str]:
    """Return a command that is pip: our own environment has none, uv cannot download."""
    for command in (
        [str(TOOLS / "bin" / "python"), "-m", "pip"],
        [str(Path(sys.base_prefix) / "bin" / "python3"), "-m", "pip"],
        ["uv", "tool", "run", "pip"],
    ):
        if shutil.which(command[0]) is None:
            continue
        asked = subprocess.run([*command, "--version"], capture_output=True, check=False)
        if asked.returncode == 0:
            return [*command, "--quiet", "--disable-pip-version-check"]
    missing("there is no pip to install old client versions with")
    raise AssertionError


def python_client(version: str) -> Path:
    """Return the folder to put on `sys.path` for a version of PyPI's `api.video`.

    Without dependencies: `urllib3` and `python_dateutil` come from our environment.
    """

    def fill(folder: Path) -> None:
        requirement = f"api.video=={version}"
        run([*_pip(), "install", "--no-deps", "--target", folder, requirement])

    return _once(f"python-{version}", fill)


def python_package(name: str, version: str) -> Path:
    """Return the folder to put on `sys.path` for a version of a package of PyPI."""

    def fill(folder: Path) -> None:
        run([*_pip(), "install", "--target", folder, f"{name}=={version}"])

    return _once(f"python-{name}-{version}", fill)


def python_sdist(version: str) -> Path:
    """Return the unpacked source archive of PyPI's `api.video`, with its tests."""

    def fill(folder: Path) -> None:
        options = ["--no-deps", "--no-binary", ":all:", "--dest", str(folder)]
        run([*_pip(), "download", *options, f"api.video=={version}"])
        with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
            archive.extractall(folder, filter="data")

    return _once(f"python-sdist-{version}", fill) / f"api.video-{version}"


def node_program(name: str) -> Path:
    """Return `node` or `npm`: that of the PATH, else the one installed for the front end."""
    own = TOOLS / "node" / "bin" / name
    found = shutil.which(name) or (str(own) if own.exists() else None)
    if found is None:
        missing(f"{name} is not installed")
        raise AssertionError
    return Path(found)


def node_environment() -> dict[str, str]:
    """Return an environment in which npm's scripts find the same Node."""
    path = f"{node_program('node').parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path}


def node_package(name: str, version: str, *beside: str) -> Path:
    """Return a folder whose `node_modules` has an npm package and what it needs.

    `beside` are packages that it expects its user to have (`react@18.3.1`).
    """

    def fill(folder: Path) -> None:
        (folder / "package.json").write_text('{"private": true}\n')
        _npm(folder, "install", f"{name}@{version}", *beside)

    return _once(f"node-{name.rpartition('/')[2]}-{version}", fill)


def node_tarball(name: str, version: str) -> Path:
    """Return the unpacked npm package with its development tools, to run its own tests."""

    def fill(folder: Path) -> None:
        _npm(folder, "pack", f"{name}@{version}")
        with tarfile.open(next(folder.glob("*.tgz"))) as archive:
            archive.extractall(folder, filter="data")
        _npm(folder / "package", "install")

    return _once(f"node-suite-{name.rpartition('/')[2]}-{version}", fill) / "package"


def _npm(folder: Path, *words: str) -> None:
    quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
    run([node_program("npm"), *words, *quiet], cwd=folder, env=node_environment())
