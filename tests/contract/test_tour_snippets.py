"""The tour of README and quickstart, run as it stands there."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.contract import packages
from tests.contract.conftest import Tenant
from tests.fixtures.waiting import PATIENCE_S, until_now

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/quickstart.md")
THEIR_URL = "http://127.0.0.1:8080"


def snippets(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def ours(snippet: str, base_url: str, tenant: Tenant) -> str:
    """Put our server and key where a reader puts theirs."""
    assert THEIR_URL in snippet
    return re.sub(r"(?<=['\"])KEY(?=['\"])", tenant.key, snippet.replace(THEIR_URL, base_url))


@pytest.fixture
def folder(tmp_path: Path, clip: Path) -> Path:
    shutil.copy(clip, tmp_path / "clip.mp4")
    return tmp_path


def assert_plays(printed: str) -> None:
    page = printed.rsplit(maxsplit=1)[-1]
    assert "/vod/vi" in page
    hls = f"{page}/hls/manifest.m3u8"
    until_now(lambda: httpx.get(hls, timeout=PATIENCE_S).status_code == 200)
    assert httpx.get(page, timeout=PATIENCE_S).status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_python(page: str, base_url: str, tenant: Tenant, folder: Path) -> None:
    (snippet,) = snippets(page, "python")
    script = folder / "tour.py"
    script.write_text(ours(snippet, base_url, tenant))
    assert_plays(packages.run([sys.executable, script], cwd=folder))


@pytest.mark.node
@pytest.mark.parametrize("page", PAGES)
def test_node(page: str, base_url: str, tenant: Tenant, folder: Path) -> None:
    (snippet,) = snippets(page, "js")
    script = folder / "tour.cjs"
    script.write_text(ours(snippet, base_url, tenant))
    client = packages.node_package("@api.video/nodejs-client", "2.6.8")
    (folder / "node_modules").symlink_to(client / "node_modules")
    argv = [packages.node_program("node"), script]
    assert_plays(packages.run(argv, cwd=folder, env=packages.node_environment()))


def curls(page: str) -> list[str]:
    """Return the commands with curl, in their order."""
    text = (ROOT / page).read_text()
    return re.findall(r"^(?:\$ )?(curl -su .*)$", text, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_curl(page: str, base_url: str, tenant: Tenant, folder: Path) -> None:
    if shutil.which("curl") is None:
        packages.missing("curl is not installed")
    environment = {**os.environ, "KEY": tenant.key, "API": base_url, "NO_PROXY": "127.0.0.1"}
    answers = []
    for command in curls(page):
        done = subprocess.run(
            ["sh", "-c", command.replace(THEIR_URL, base_url)],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            timeout=PATIENCE_S,
            check=True,
        )
        answers.append(json.loads(done.stdout))
        environment["ID"] = answers[0]["videoId"]
    created, uploaded, status = answers
    assert created["title"] == "First"
    assert uploaded["videoId"] == created["videoId"]
    assert status["ingest"]["status"] == "uploaded"
    assert_plays(uploaded["assets"]["player"])
