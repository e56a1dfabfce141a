"""What docs/operations/backups.md promises: both ways of keeping a copy bring it back."""

import subprocess
from pathlib import Path

import httpx

from telecine.db.embedded import find_binaries, running_url
from tests.fixtures.server import TelecineServer, running_telecine
from tests.fixtures.waiting import PATIENCE_S

MEDIA = b"not a film, but kept"


def videos(server: TelecineServer, key: str) -> list[str]:
    reply = httpx.get(
        f"{server.base_url}/videos", auth=(key, ""), timeout=PATIENCE_S
    ).raise_for_status()
    return [video["title"] for video in reply.json()["data"]]


def fill(server: TelecineServer) -> str:
    """Make a video; return the key that owns it."""
    auth = (server.production_key, "")
    url = f"{server.base_url}/videos"
    video = (
        httpx.post(url, json={"title": "Kept"}, auth=auth, timeout=PATIENCE_S)
        .raise_for_status()
        .json()
    )
    source = {"file": ("a.txt", MEDIA)}
    httpx.post(
        f"{url}/{video['videoId']}/source", files=source, auth=auth, timeout=PATIENCE_S
    ).raise_for_status()
    return server.production_key


def stored(data: Path) -> set[bytes]:
    return {file.read_bytes() for file in (data / "media").rglob("*") if file.is_file()}


def run(program: str, *words: str) -> None:
    done = subprocess.run([find_binaries() / program, *words], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_a_copy_of_the_folder_is_a_folder(tmp_path: Path) -> None:
    with running_telecine(tmp_path / "first") as (_, server):
        key = fill(server)
    subprocess.run(["cp", "-a", tmp_path / "first", tmp_path / "copy"], check=True)
    with running_telecine(tmp_path / "copy") as (_, server):
        assert videos(server, key) == ["Kept"]
    assert MEDIA in stored(tmp_path / "copy")


def test_a_dump_and_then_the_media_bring_everything_back(tmp_path: Path) -> None:
    dump = str(tmp_path / "telecine.dump")
    first, second = tmp_path / "first", tmp_path / "second"
    with running_telecine(first) as (_, server):
        key = fill(server)
        run("pg_dump", "--format=custom", f"--file={dump}", str(running_url(first)))
        httpx.post(
            f"{server.base_url}/videos", json={"title": "Later"}, auth=(key, ""), timeout=PATIENCE_S
        )
        second.mkdir(mode=0o711)
        for kept in ("media", "secret.key"):
            subprocess.run(["cp", "-a", first / kept, second / kept], check=True)
    with running_telecine(second, {"TELECINE_WORKER_PROCESSES": "0"}):
        url = str(running_url(second))
        run("psql", "--command=DROP SCHEMA public CASCADE; CREATE SCHEMA public", url)
        run("pg_restore", "--no-owner", "--single-transaction", f"--dbname={url}", dump)
    with running_telecine(second) as (_, server):
        assert videos(server, key) == ["Kept"]
        assert (second / "secret.key").read_bytes() == (first / "secret.key").read_bytes()
    assert MEDIA in stored(second)
