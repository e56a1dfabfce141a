import json
import os
import re
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.contract import packages
from tests.contract.conftest import MakeTenant
from tests.contract.not_built import NODE_SUITE, PYTHON_SUITE
from tests.fixtures.media import padded

NODE_CLIENT = ("@api.video/nodejs-client", "2.6.8")
NODE_TESTS, PYTHON_TESTS = 39, 7

PART_BYTES = 5 * 1024 * 1024
LAST_PART_BYTES = 60_860

RUNNER = Path(__file__).parent / "python" / "run_suite.py"


def write_media(folder: Path, clip: bytes) -> None:
    """Write the files that the suites open and their packages do not carry."""
    large = padded(clip, 2 * PART_BYTES + LAST_PART_BYTES)
    (folder / "10m.mp4").write_bytes(large)
    for number, name in enumerate("abc"):
        part = large[number * PART_BYTES : (number + 1) * PART_BYTES]
        (folder / f"10m.mp4.part.{name}").write_bytes(part)
    (folder / "558k.mp4").write_bytes(padded(clip, 558_000))
    (folder / "en.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:04.000\nhello\n")
    Image.new("RGB", (640, 360), "red").save(folder / "test.jpg")
    Image.new("RGB", (100, 50), "blue").save(folder / "test.png")


@pytest.mark.node
@pytest.mark.timeout(600)  # the first time, its development tools are installed
def test_the_suite_of_the_node_client(
    base_url: str, make_tenant: MakeTenant, clip: Path, tmp_path: Path
) -> None:
    # It deletes every video that it sees: a project of its own.
    tenant = make_tenant("node suite")
    data = tmp_path / "test" / "data"
    data.mkdir(parents=True)
    write_media(data, clip.read_bytes())
    package = packages.node_tarball(*NODE_CLIENT)
    config = {
        "rootDir": str(package),
        "transform": {r"^.+\.tsx?$": ["ts-jest", {"isolatedModules": True}]},
        "testRegex": r"test/sandbox\.spec\.ts$",
    }
    left_out = "|".join(re.escape(entry.tests) for entry in NODE_SUITE)
    report = tmp_path / "report.json"
    packages.run(
        [
            packages.node_program("node"),
            package / "node_modules" / "jest" / "bin" / "jest.js",
            *("--config", json.dumps(config), "--json", "--outputFile", str(report)),
            *(("--testNamePattern", f"^ApiVideoClient (?!{left_out})") if left_out else ()),
        ],
        cwd=tmp_path,
        env={**packages.node_environment(), "API_KEY": tenant.key, "BASE_URI": base_url},
    )
    results = json.loads(report.read_text())["testResults"][0]["assertionResults"]
    assert len(results) == NODE_TESTS
    for result in results:
        group = " ".join(result["ancestorTitles"][1:])
        waits = any(group.startswith(entry.tests) for entry in NODE_SUITE)
        assert result["status"] == ("pending" if waits else "passed"), result["fullName"]


def test_the_suite_of_the_python_client(
    base_url: str, make_tenant: MakeTenant, clip: Path, tmp_path: Path
) -> None:
    tenant = make_tenant("python suite")
    source = packages.python_sdist(version("api.video"))
    shutil.copy(source / "test" / "test_integration_videos_api.py", tmp_path)
    write_media(tmp_path, clip.read_bytes())
    left_out = [entry.tests for entry in PYTHON_SUITE]
    printed = packages.run(
        [sys.executable, RUNNER, base_url, *left_out],
        cwd=tmp_path,
        env={**os.environ, "API_KEY": tenant.key},
    )
    ran = PYTHON_TESTS - len(PYTHON_SUITE)
    assert json.dumps({"ran": ran, "skipped": 0}) in printed


def test_what_the_suites_wait_for_does_not_exist_yet(api: httpx.Client) -> None:
    document = api.get("/openapi.json").json()
    built = {
        f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item
    }
    waited_for = {entry.waits_for for entry in (*NODE_SUITE, *PYTHON_SUITE)}
    assert not waited_for & built, "these are built: take them off the list"
