"""`./telecine` makes its environment from nothing but Python, and only when it has to."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.shared import ROOT
from tests.fixtures.waiting import PATIENCE_S

UV = """#!/bin/sh
echo "uv $*" >>"$CALLS"
case $1 in
venv)
    for last; do :; done
    mkdir -p "$last/bin"
    printf '#!/bin/sh\\nexit 0\\n' >"$last/bin/python"
    chmod +x "$last/bin/python"
    ;;
pip)
    printf '#!/bin/sh\\necho "telecine in $PWD: $*"\\n' >.venv/bin/telecine
    chmod +x .venv/bin/telecine
    ;;
esac
"""

SYSTEM = [
    "cat",
    "chmod",
    "cksum",
    "dirname",
    "find",
    "flock",
    "ln",
    "mkdir",
    "rm",
    "sh",
    "sort",
    "tr",
    "xargs",
]


class Clone:
    """A clone whose PATH has little more than what the script itself calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "clone"
        self.programs = folder / "bin"
        self.calls = folder / "calls"
        self.calls.touch()
        for name in ("pyproject.toml", "hatch_build.py", "requirements", "telecine"):
            source, target = ROOT / name, self.folder / name
            target.parent.mkdir(exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
        (self.folder / "web").mkdir()
        (self.folder / "web" / "player.ts").write_text("// the player")
        self.programs.mkdir()
        for name in SYSTEM:
            found = shutil.which(name)
            assert found is not None, name
            (self.programs / name).symlink_to(found)
        self.program("python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        self.program("uv", UV)

    def program(self, name: str, text: str) -> None:
        path = self.programs / name
        path.write_text(text)
        path.chmod(0o755)

    def run(self, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        environment = {"PATH": str(self.programs), "CALLS": str(self.calls), **variables}
        return subprocess.run(
            [self.folder / "telecine", *words],
            capture_output=True,
            text=True,
            env=environment,
            cwd=self.folder.parent,
            timeout=PATIENCE_S,
            check=False,
        )

    def called(self) -> list[str]:
        """Return what uv was asked for since the last time."""
        told = self.calls.read_text().splitlines()
        self.calls.write_text("")
        return told


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_the_first_run_makes_everything_and_the_next_ones_nothing(clone: Clone) -> None:
    first = clone.run("serve", "--port", "0", TELECINE_SKIP_WEB="1")
    assert first.returncode == 0, first.stderr
    # In the folder of the caller, with its words as they are.
    assert first.stdout == f"telecine in {clone.folder.parent}: serve --port 0\n"
    called = clone.called()
    assert any("pip sync" in call and "requirements/run.lock" in call for call in called)
    assert all("--require-hashes" in call for call in called if "pip sync" in call)
    again = clone.run("doctor", TELECINE_SKIP_WEB="1")
    assert again.stdout == f"telecine in {clone.folder.parent}: doctor\n"
    assert clone.called() == []


@pytest.mark.parametrize("changed", ["pyproject.toml", "requirements/run.lock", "web/player.ts"])
def test_what_it_is_made_from_makes_it_anew(clone: Clone, changed: str) -> None:
    clone.run(TELECINE_SKIP_WEB="1")
    clone.called()
    with (clone.folder / changed).open("a") as file:
        file.write("\n# changed\n")
    assert clone.run(TELECINE_SKIP_WEB="1").returncode == 0
    assert any("pip sync" in call for call in clone.called())
    assert clone.run(TELECINE_SKIP_WEB="1").returncode == 0
    assert clone.called() == []


def test_a_moved_clone_gets_an_environment_that_knows_where_it_is(clone: Clone) -> None:
    clone.run(TELECINE_SKIP_WEB="1")
    clone.called()
    moved = clone.folder.with_name("moved")
    clone.folder.rename(moved)
    clone.folder = moved
    assert clone.run(TELECINE_SKIP_WEB="1").returncode == 0
    assert any(call.startswith("uv venv") and "--clear" in call for call in clone.called())


def test_an_environment_that_could_not_be_finished_is_made_at_the_next_start(clone: Clone) -> None:
    clone.program("uv", UV.replace("pip)\n", 'pip)\n    [ "$2" != install ] || exit 3\n'))
    assert clone.run(TELECINE_SKIP_WEB="1").returncode == 3
    clone.program("uv", UV)
    assert clone.run("config", TELECINE_SKIP_WEB="1").returncode == 0


def test_a_machine_without_a_python_that_is_new_enough_is_told(clone: Clone) -> None:
    clone.program("python3", "#!/bin/sh\nexit 1\n")
    told = clone.run()
    assert told.returncode == 1
    assert told.stderr == "telecine: needs Python 3.11 or newer on the PATH\n"


PYTHON = """#!/bin/sh
case $* in
"-m venv"*)
    mkdir -p "$3/bin"
    ln -s "$0" "$3/bin/python"
    ;;
*"pip install"*)
    echo "pip $*" >>"$CALLS"
    ln -s "$MADE_UV" .tools/bin/uv
    ;;
*sys.executable*) echo "$0" ;;
*) exec {python} "$@" ;;
esac
"""


def test_without_uv_one_is_installed_beside_the_clone(clone: Clone) -> None:
    made = clone.folder.parent / "uv"
    (clone.programs / "uv").rename(made)
    clone.program("python3", PYTHON.format(python=sys.executable))
    first = clone.run(TELECINE_SKIP_WEB="1", MADE_UV=str(made))
    assert first.returncode == 0, first.stderr
    called = clone.called()
    assert called[0].endswith("uv>=0.7,<1")
    assert any("pip sync" in call for call in called)


TOOLS = """#!/bin/sh
echo "pytest $* REQUIRE_ALL=${TELECINE_REQUIRE_ALL:-}" >>"$CALLS"
"""
PROGRAMS = ("chromium", "nginx", "curl", "ffmpeg", "mpv", "srt-live-transmit", "gst-launch-1.0")


@pytest.fixture
def tested(clone: Clone) -> Clone:
    """A clone whose `./telecine test` finds all checks in order."""
    for name in ("ruff", "mypy", "lint-imports"):
        clone.program(name, "#!/bin/sh\nexit 0\n")
    clone.program("tests", TOOLS)
    put = f"pip)\n    ln -sf {clone.programs / 'tests'} .venv/bin/pytest\n"
    clone.program("uv", UV.replace("pip)\n", put))
    clone.program("id", "#!/bin/sh\necho 1000\n")
    return clone


def as_root(clone: Clone, known: str = "firefox-esr") -> None:
    clone.program("id", "#!/bin/sh\necho 0\n")
    clone.program("apt-get", '#!/bin/sh\necho "apt-get $*" >>"$CALLS"\n')
    clone.program("apt-cache", f'#!/bin/sh\n[ "$2" = "{known}" ]\n')


def test_what_is_missing_is_named_and_its_tests_are_left_out(tested: Clone) -> None:
    done = tested.run("test", TELECINE_SKIP_WEB="1")
    assert done.returncode == 0, done.stderr
    (told,) = [line for line in done.stderr.splitlines() if line.startswith("Not installed")]
    named = set(told.partition(":")[2].split())
    assert {"chromium", "curl", "ffmpeg", "srt-tools", "firefox-esr"} <= named
    assert tested.called()[-1] == "pytest -n 2 --dist loadgroup REQUIRE_ALL="


def test_root_gets_what_is_missing_from_debian(tested: Clone) -> None:
    as_root(tested)
    done = tested.run("test", TELECINE_SKIP_WEB="1")
    assert done.returncode == 0, done.stderr
    (call,) = [call for call in tested.called() if call.startswith("apt-get install")]
    assert {"chromium", "gstreamer1.0-plugins-bad", "firefox-esr"} <= set(call.split())


@pytest.mark.parametrize("known", ["firefox-esr", "none"])
def test_a_second_browser_is_looked_for_where_all_else_is_there(tested: Clone, known: str) -> None:
    as_root(tested, known)
    for name in PROGRAMS:
        tested.program(name, "#!/bin/sh\n")
    assert tested.run("test", TELECINE_SKIP_WEB="1").returncode == 0
    installed = [call for call in tested.called() if call.startswith("apt-get install")]
    assert ["firefox-esr" in call for call in installed] == [True] * (known != "none")


def test_nothing_may_be_missing_in_ci(tested: Clone) -> None:
    assert tested.run("test", TELECINE_SKIP_WEB="1", CI="true").returncode == 0
    assert tested.called()[-1].endswith("REQUIRE_ALL=1")


def test_words_behind_test_are_for_pytest_alone(tested: Clone) -> None:
    assert tested.run("test", "tests/unit", "-x", TELECINE_SKIP_WEB="1").returncode == 0
    assert tested.called()[-1] == "pytest tests/unit -x REQUIRE_ALL="
