"""`telecine upload`, and what `doctor --fsck` says of what it made."""

import json
import re
from pathlib import Path

import httpx

from telecine.processes.exits import Exit
from tests.fixtures.media import AAC, X264, make_clip
from tests.fixtures.server import TelecineServer, running_telecine
from tests.fixtures.waiting import PATIENCE_S
from tests.integration.cli.conftest import Run


def clip() -> Path:
    return make_clip(
        "cli-upload.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=10:duration=2"),
        *("-f", "lavfi", "-i", "sine=duration=2"),
        *(*X264, *AAC, "-shortest"),
    )


def test_an_uploaded_file_plays_from_the_printed_url(
    run: Run, telecine_server: TelecineServer
) -> None:
    done = run("upload", str(clip()), "--folder", TELECINE_API_KEY=telecine_server.production_key)
    assert done.returncode == Exit.DONE, done.stderr
    found = re.search(r"^HLS +(\S+)$", done.stdout, re.MULTILINE)
    assert found is not None
    assert httpx.get(found[1], timeout=PATIENCE_S).text.startswith("#EXTM3U")
    video_id = found[1].split("/vod/")[1].split("/")[0]
    auth = (telecine_server.production_key, "")
    video = httpx.get(
        f"{telecine_server.base_url}/videos/{video_id}", auth=auth, timeout=PATIENCE_S
    ).json()
    assert (video["title"], video["tags"]) == (clip().stem, [clip().parent.name])


def test_what_is_no_media_ends_with_a_reason(
    run: Run, telecine_server: TelecineServer, tmp_path: Path
) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    done = run("upload", str(text), TELECINE_API_KEY=telecine_server.production_key)
    assert done.returncode == Exit.FAILED
    assert "text.mp4" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_is_needed(run: Run) -> None:
    done = run("upload", str(clip()))
    assert done.returncode == Exit.USAGE
    assert "TELECINE_API_KEY" in done.stderr


def test_fsck_finds_what_is_missing_and_what_nobody_names(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "own"
    with running_telecine(data) as (_, server):
        settings = {
            "TELECINE_DATA": str(data),
            "TELECINE_PUBLIC_URL": server.base_url,
            "TELECINE_API_KEY": server.production_key,
        }
        assert run("upload", str(clip()), **settings).returncode == Exit.DONE
        sound = run("doctor", "--fsck", **settings)
        assert sound.returncode == Exit.DONE, sound.stdout
        assert ", 0 problems" in sound.stdout
    source = next(path for path in (data / "media").glob("*/*/source/*"))
    source.rename(source.with_name("stranger"))
    broken = run("doctor", "--fsck", **settings)
    assert broken.returncode == Exit.FAILED
    assert f"missing {source.relative_to(data / 'media')}" in broken.stdout
    assert f"unknown {source.with_name('stranger').relative_to(data / 'media')}" in broken.stdout


def test_a_folder_is_uploaded_file_by_file(
    run: Run, telecine_server: TelecineServer, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "first.mp4").write_bytes(clip().read_bytes())
    (folder / "second.mkv").write_text("not a video")
    (folder / "notes.txt").write_text("not even named like one")
    done = run(
        *("upload", str(folder), "--json", "--tag", "from a folder"),
        TELECINE_API_KEY=telecine_server.production_key,
    )
    assert done.returncode == Exit.FAILED
    assert done.stderr.startswith("telecine: 1 of 2 are uploaded.\n  second.mkv: The media could")
    lines = {Path(line["file"]).name: line for line in map(json.loads, done.stdout.splitlines())}
    assert (lines["first.mp4"]["status"], lines["first.mp4"]["error"]) == ("encoded", None)
    assert lines["second.mkv"]["status"] == "failed"
    auth = (telecine_server.production_key, "")
    url = f"{telecine_server.base_url}/videos/{lines['first.mp4']['videoId']}"
    assert httpx.get(url, auth=auth, timeout=PATIENCE_S).json()["tags"] == ["from a folder"]


def test_a_token_is_enough_to_upload_and_to_see_it_play(
    run: Run, telecine_server: TelecineServer
) -> None:
    made = httpx.post(
        f"{telecine_server.base_url}/upload-tokens",
        auth=(telecine_server.production_key, ""),
        json={},
        timeout=PATIENCE_S,
    ).json()
    done = run("upload", str(clip()), "--token", made["token"], "--title", "Mine")
    assert done.returncode == Exit.DONE, done.stderr
    assert "can be played" in done.stdout
    refused = run("upload", str(clip()), "--token", "to1tcmSFHeYY5KzyhOqVKMKb")
    assert refused.returncode == Exit.FAILED
    assert "The upload token is invalid or expired" in refused.stderr


def test_why_a_url_cannot_be_fetched_is_said_to_the_operator(
    run: Run, telecine_server: TelecineServer
) -> None:
    done = run(
        *("upload", "--source", "http://127.0.0.1:9/a.mp4"),
        TELECINE_API_KEY=telecine_server.production_key,
    )
    assert done.returncode == Exit.FAILED
    assert "a.mp4: The file could not be fetched. " in done.stderr


def test_errors_of_the_server_are_one_sentence(run: Run, telecine_server: TelecineServer) -> None:
    done = run(
        *("upload", str(clip()), "--title", "x" * 1001),
        TELECINE_API_KEY=telecine_server.production_key,
    )
    assert done.returncode == Exit.FAILED
    assert "An attribute is invalid (title)" in done.stderr
    assert len(done.stderr.splitlines()) == 1
