"""A live stream is transcoded: lower qualities have the segments of the source."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from tests.chaos.killing import descendants, kill, words
from tests.fixtures.broadcasting import OnAir, live_clip, make_live_stream, publishing
from tests.fixtures.media import FFMPEG, make_clip
from tests.fixtures.rtmp_encoder import encoding
from tests.fixtures.server import TelecineServer, running_telecine
from tests.fixtures.waiting import PATIENCE_S, until
from tests.integration.live.test_encoders import program
from tests.integration.live.test_on_air import Viewer, recordings, streams_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TelecineServer]:
    data = tmp_path_factory.mktemp("ladder") / "data"
    # One process, so that all its viewers share what it mirrors.
    settings = {
        "TELECINE_LIVE_LADDER": "720,90",
        "TELECINE_API_PROCESSES": "1",
        "TELECINE_LIVE_PART_MS": "300",
    }
    with running_telecine(data, settings) as (_, server):
        yield server


def segments(text: str) -> dict[int, tuple[str, bool]]:
    """Return length and break before each whole segment of a playlist."""
    found, broken = {}, False
    length = ""
    for line in text.splitlines():
        if line == "#EXT-X-DISCONTINUITY":
            broken = True
        elif line.startswith("#EXTINF:"):
            length = line
        elif match := re.fullmatch(r"\w+-(\d+)\.m4s", line):
            found[int(match[1])] = length, broken
            broken = False
    return found


def played(url: str, ffmpeg: str = str(FFMPEG), *begin: str) -> int:
    """Return how many pictures ffmpeg shows of a playlist within two seconds of media."""
    done = subprocess.run(
        [ffmpeg, "-v", "info", "-nostdin", *begin, "-i", url, "-t", "2", "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    return int(re.findall(r"frame=\s*(\d+)", done.stderr)[-1])


async def ended(viewer: Viewer) -> bool:
    return "#EXT-X-ENDLIST" in await viewer.reload()


async def test_a_lower_quality_has_the_segments_of_the_source(
    client: httpx.AsyncClient, server: TelecineServer
) -> None:
    stream = await make_live_stream(server)
    lower = replace(stream, rendition="90p")
    # It begins with the second segment: the first is over before anything can be transcoded.
    source_viewer, viewer = Viewer(client, stream), Viewer(client, lower, begun_at=1)

    async def offered() -> bool:
        return (await client.get(lower.playlist_url)).status_code == 200

    async def reported() -> bool:
        return f'REPORT:URI="../{stream.public_id}_90p/index' in await source_viewer.reload()

    for _ in range(2):
        async with publishing(stream.publish_url, live_clip()):
            await until(source_viewer.playable)
            await until(reported)  # whether or not somebody watches it
            await until(offered)
            assert "_90p/index.m3u8" in (await client.get(stream.master_url)).text
            await viewer.reload()
            await viewer.follow(8)
            # Who watches one quality is told how far the other one is.
            told = re.search(r'REPORT:URI="\.\./(\w+)/index\.m3u8",LAST-MSN=(\d+)', viewer.text)
            assert told is not None
            assert told[1] == f"{stream.public_id}_source"
            assert played(lower.playlist_url) > 20
        for url in (stream.playlist_url, lower.playlist_url):
            # From the first segment: near its end no two seconds may be left, and none come.
            assert played(url, program("ffmpeg"), "-live_start_index", "0") > 20
    master = (await client.get(stream.master_url)).text
    uris = re.findall(r"^[^#].*index\.m3u8$", master, re.MULTILINE)
    assert [uri.partition("_")[2] for uri in uris] == ["source/index.m3u8", "90p/index.m3u8"]
    assert 'RESOLUTION=160x90,CODECS="avc1.64002a,mp4a.40.2"' in master
    await stream.complete()

    for each in (source_viewer, viewer):
        await until(lambda each=each: ended(each))  # type: ignore[misc]  # bound at once
    source, followed = segments(source_viewer.text), segments(viewer.text)
    common = sorted(source.keys() & followed.keys())
    assert len(common) >= 3
    assert any(followed[msn][1] for msn in common)
    assert [followed[msn][1] for msn in common[1:]] == [source[msn][1] for msn in common[1:]]
    whole = [msn for msn in common if msn + 1 in common and not followed[msn + 1][1]]
    assert [followed[msn][0] for msn in whole] == [source[msn][0] for msn in whole]
    assert "160x90" in streams_of(await viewer.media(viewer.text))


async def test_viewers_of_the_source_do_not_notice_that_transcoding_fails(
    client: httpx.AsyncClient, server: TelecineServer
) -> None:
    stream = await make_live_stream(server)
    lower = replace(stream, rendition="90p")
    viewer = Viewer(client, stream)

    async def answers(status: int) -> bool:
        return (await client.get(lower.playlist_url)).status_code == status

    async with publishing(stream.publish_url, live_clip()):
        await until(lambda: answers(200))
        await viewer.reload()
        kill(*(pid for pid in descendants(server.pid) if "live_flv" in words(pid)))
        await until(lambda: answers(404))

        async def left_out() -> bool:
            return "90p" not in (await client.get(stream.master_url)).text

        await until(left_out)
        await viewer.follow(8)
    await stream.complete()
    assert len(await recordings(client, stream)) == 1
    log = server.log.read_text()
    assert "transcoding failed" in log
    assert "Traceback" not in log


async def test_sources_below_all_rungs_are_left_alone(
    client: httpx.AsyncClient, server: TelecineServer
) -> None:
    clip = live_clip("tiny.flv", 20, "-vf", "scale=-2:64", "-c:v", "libx264", "-bf", "0")
    stream: OnAir = await make_live_stream(server)
    async with publishing(stream.publish_url, clip):

        async def watched() -> bool:
            return (await client.get(stream.master_url)).status_code == 200

        await until(watched)
        assert "90p" not in (await client.get(stream.master_url)).text
        missing = replace(stream, rendition="90p").playlist_url
        assert (await client.get(missing)).status_code == 404
    await stream.complete()


async def test_an_encoder_that_sends_several_qualities_is_not_transcoded(
    client: httpx.AsyncClient, server: TelecineServer
) -> None:
    clip = make_clip(
        "two-tracks.mkv",
        *("-i", str(live_clip("source.flv", 8)), "-map", "0:v", "-map", "0:v", "-map", "0:a"),
        *("-c", "copy", "-c:v:1", "libx264", "-filter:v:1", "scale=160:90", "-bf", "0"),
        *("-preset", "ultrafast", "-g", "30", "-sc_threshold", "0"),
    )
    stream = await make_live_stream(server)
    lower = replace(stream, rendition="track1")
    source_viewer, viewer = Viewer(client, stream), Viewer(client, lower)
    async with publishing(stream.publish_url, clip, after=("-map", "0", "-c", "copy")):
        await until(source_viewer.playable)
        master = (await client.get(stream.master_url)).text
        assert re.findall(r"_(\w+)/index\.m3u8", master) == ["source", "track1"]
        assert "RESOLUTION=160x90" in master
        for each in (source_viewer, viewer):
            await each.reload()
            await each.follow(6)
    await stream.complete()
    for each in (source_viewer, viewer):
        await until(lambda each=each: ended(each))  # type: ignore[misc]  # bound at once
    source, followed = segments(source_viewer.text), segments(viewer.text)
    assert followed.keys() == source.keys()
    whole = sorted(source)[:-1]  # the last picture of the lower one may be missing
    assert [followed[msn] for msn in whole] == [source[msn] for msn in whole]
    assert "160x90" in streams_of(await viewer.media(viewer.text))
    assert len(await recordings(client, stream)) == 1
    told = [line for line in server.log.read_text().splitlines() if stream.public_id in line]
    assert not [line for line in told if "transcoding begins" in line]


def by_map(text: str) -> list[list[str]]:
    """Return the names of each init segment of a playlist and of the segments behind it."""
    found: list[list[str]] = []
    for line in text.splitlines():
        if match := re.fullmatch(r'#EXT-X-MAP:URI="([^"]+)"', line):
            found.append([match[1]])
        elif line.endswith(".m4s") and not line.startswith("#"):
            found[-1].append(line)
    return found


async def test_an_encoder_changes_its_pictures_and_its_clock(
    client: httpx.AsyncClient, server: TelecineServer
) -> None:
    small = live_clip("small.flv", 4)
    large = make_clip(
        "large.flv",
        *("-i", str(small), "-vf", "scale=640:360", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-bf", "0", "-g", "30", "-sc_threshold", "0", "-c:a", "copy"),
    )
    stream = await make_live_stream(server)
    lower = replace(stream, rendition="90p")
    # The lower one begins with what comes when somebody transcodes.
    source_viewer, viewer = Viewer(client, stream), Viewer(client, lower, begun_at=9)

    async def has(each: Viewer, breaks: int, over: int) -> bool:
        text = await each.reload()
        behind = text.rpartition("#EXT-X-DISCONTINUITY\n")[2]
        return text.count("#EXT-X-DISCONTINUITY\n") == breaks and behind.count("#EXTINF") >= over

    async def offered() -> bool:
        return (await client.get(lower.playlist_url)).status_code == 200

    async def transcoded() -> bool:  # what comes before is not
        lines = server.log.read_text(errors="replace").splitlines()
        return any("transcoding begins" in each and stream.public_id in each for each in lines)

    async with encoding(stream.publish_url) as encoder:
        end_ms = await encoder.send(small, 1000)
        await until(source_viewer.playable)
        await until(transcoded)
        end_ms = await encoder.send(small, end_ms + 33)
        await until(offered)
        end_ms = await encoder.send(large, end_ms + 33)
        hour_later_ms = await encoder.send(large, end_ms + 3_600_000)
        await encoder.send(large, hour_later_ms - 90_000)
        for each in (source_viewer, viewer):
            await until(lambda each=each: has(each, 3, 3))  # type: ignore[misc]  # bound at once
        await stream.complete()
        for each in (source_viewer, viewer):
            await until(lambda each=each: ended(each))  # type: ignore[misc]  # bound at once
    shown = by_map(source_viewer.text)
    assert [len(names) > 3 for names in shown] == [True, True]
    assert "PART-TARGET=0.30" in source_viewer.text
    for names, size in zip(shown, ("320x180", "640x360"), strict=True):
        # The first ones are in memory no more: they come from the recording.
        data = b"".join([await source_viewer.get(name) for name in names])
        assert size in streams_of(data)
    assert "160x90" in streams_of(await viewer.media(viewer.text))
    assert len(await recordings(client, stream, count=2)) == 2  # one of each size


async def test_only_key_frames_tell_how_large_pictures_are(
    client: httpx.AsyncClient, server: TelecineServer
) -> None:
    stream = await make_live_stream(server)
    vp9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "30")
    source = str(live_clip("source.flv", 8))
    clip = make_clip("vp9.flv", "-i", source, *vp9, "-lag-in-frames", "0", "-c:a", "copy")
    async with encoding(stream.publish_url) as encoder:  # which describes nothing
        await encoder.send(clip, 0)

        async def sized() -> bool:
            master = (await client.get(stream.master_url)).text
            found = re.findall(r"RESOLUTION=(\w+),CODECS=\"(\w+)", master)
            return found == [("320x180", "vp09"), ("160x90", "avc1")]

        await until(sized)
    await stream.complete()
