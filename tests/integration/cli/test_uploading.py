"""`telecine upload`, and what `doctor --fsck` says of what it made."""

import re
from pathlib import Path

import httpx

from telecine.processes.exits import Exit
from tests.fixtures.media import AAC, X264, make_clip
from tests.fixtures.server import TelecineServer, running_telecine
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
    assert httpx.get(found[1]).text.startswith("#EXTM3U")
    video_id = found[1].split("/vod/")[1].split("/")[0]
    auth = (telecine_server.production_key, "")
    video = httpx.get(f"{telecine_server.base_url}/videos/{video_id}", auth=auth).json()
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
