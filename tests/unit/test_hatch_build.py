"""The build hook: when it makes the front end, with what, and when it leaves it."""

import importlib.util
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

ROOT = Path(__file__).parents[2]

NPM = """#!/bin/sh
echo "npm $*" >>"$CALLS"
[ "$1" = run ] || exit 0
mkdir -p ../src/telecine/static/dist
echo made >../src/telecine/static/dist/a.js
"""


class Interface:
    """What a hook gets from hatchling, which is no part of this environment."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.app = SimpleNamespace(display_info=lambda _: None)

    def __class_getitem__(cls, _: object) -> type["Interface"]:
        return cls


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Any:
    name = "hatchling.builders.hooks.plugin.interface"
    monkeypatch.setitem(
        sys.modules, name, cast("Any", SimpleNamespace(BuildHookInterface=Interface))
    )
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Checkout:
    """A source checkout with programs of its own: its npm writes down how it was called."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.programs, self._calls = root, root / "bin", root / "calls"
        self.programs.mkdir()
        (root / "web" / "player").mkdir(parents=True)
        (root / "web" / "player" / "main.ts").write_text("let a = 1;")
        monkeypatch.delenv("TELECINE_SKIP_WEB", raising=False)
        monkeypatch.setenv("CALLS", str(self._calls))
        monkeypatch.setenv("PATH", f"{self.programs}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def install(self, node: str = "v24.1.0", folder: Path | None = None) -> None:
        folder = folder or self.programs
        for name, text in (("node", f"#!/bin/sh\necho {node}\n"), ("npm", NPM)):
            program = folder / name
            program.write_text(text)
            program.chmod(program.stat().st_mode | stat.S_IXUSR)

    @property
    def calls(self) -> list[str]:
        found = self._calls.read_text().splitlines() if self._calls.exists() else []
        self._calls.unlink(missing_ok=True)
        return [call.split()[1] for call in found]

    @property
    def dist(self) -> Path:
        return self.root / "src/telecine/static/dist"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    return Checkout(tmp_path, monkeypatch)


@pytest.fixture
def hook(build: Any, checkout: Checkout) -> Callable[[], Any]:
    return lambda: build.FrontEnd(checkout.root)


def test_a_checkout_is_built_once(checkout: Checkout, hook: Callable[[], Any]) -> None:
    checkout.install()
    assert hook().dependencies() == []
    hook().initialize("standard", {})
    assert checkout.calls == ["ci", "run"]
    assert (checkout.dist / "a.js").read_text() == "made\n"
    hook().initialize("standard", {})
    assert checkout.calls == []


def test_a_changed_source_is_built_again(checkout: Checkout, hook: Callable[[], Any]) -> None:
    checkout.install()
    hook().initialize("standard", {})
    assert checkout.calls
    for path in ("web/node_modules/a/index.js", "web/coverage/report.html"):
        (checkout.root / path).parent.mkdir(parents=True)
        (checkout.root / path).write_text("not a source")
    hook().initialize("standard", {})
    assert checkout.calls == []
    (checkout.root / "web/player/main.ts").rename(checkout.root / "web/player/other.ts")
    hook().initialize("standard", {})
    assert checkout.calls == ["ci", "run"]


def test_a_failed_build_is_not_taken_for_done(
    checkout: Checkout, hook: Callable[[], Any], build: Any
) -> None:
    checkout.install()
    (checkout.programs / "npm").write_text('#!/bin/sh\n[ "$1" = ci ]\n')
    with pytest.raises(build.subprocess.CalledProcessError):
        hook().initialize("standard", {})
    checkout.install()
    hook().initialize("standard", {})
    assert checkout.calls == ["ci", "run"]


def test_who_wants_none_needs_no_node(
    checkout: Checkout, hook: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(checkout.programs))
    monkeypatch.setenv("TELECINE_SKIP_WEB", "1")
    assert hook().dependencies() == []
    hook().initialize("standard", {})
    assert not checkout.dist.exists()


def test_an_sdist_has_nothing_to_build(
    checkout: Checkout, hook: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(checkout.programs))
    shutil.rmtree(checkout.root / "web")
    assert hook().dependencies() == []
    hook().initialize("standard", {})


@pytest.mark.parametrize("version", ["v18.20.0", "v20.18.3", "v22.11.0", "v21.7.0", ""])
def test_an_old_node_is_replaced_by_that_of_the_wheel(
    checkout: Checkout,
    hook: Callable[[], Any],
    build: Any,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
) -> None:
    if version:
        checkout.install(version)
    monkeypatch.setenv("PATH", f"{checkout.programs}{os.pathsep}/nowhere")
    assert hook().dependencies() == [build.NODE_WHEEL]
    wheel = checkout.root / "wheel"
    wheel.mkdir()
    checkout.install("v24.1.0", wheel)
    monkeypatch.setattr(build.sys, "executable", str(wheel / "python"))
    (checkout.programs / "sh").symlink_to("/bin/sh")
    for name in ("mkdir", "env"):
        (checkout.programs / name).symlink_to(shutil.which(name, path="/bin:/usr/bin") or name)
    if version:
        (checkout.programs / "npm").unlink()
    hook().initialize("standard", {})
    assert checkout.calls == ["ci", "run"]


def test_without_npm_it_says_what_to_do(
    checkout: Checkout,
    hook: Callable[[], Any],
    build: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(checkout.programs))
    monkeypatch.setattr(build.sys, "executable", str(checkout.root / "python"))
    with pytest.raises(RuntimeError, match="TELECINE_SKIP_WEB=1"):
        hook().initialize("standard", {})


@pytest.mark.parametrize("version", ["v20.19.0", "v22.12.0", "v23.0.0", "v24.0.0"])
def test_a_new_node_is_used(checkout: Checkout, build: Any, version: str) -> None:
    checkout.install(version)
    assert build.node_is_usable()
