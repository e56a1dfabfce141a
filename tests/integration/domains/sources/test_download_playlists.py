"""HLS playlists as sources."""

from collections.abc import Mapping

import pytest

from telecine.jobs.worker import PermanentFailure
from telecine.net.errors import OutboundError
from tests.fixtures.origin import Answer, Asked, File, serving
from tests.integration.domains.sources.ingesting import Ingests, media

pytestmark = pytest.mark.anyio

DATA = media(4000)
SEGMENTS = [DATA[:900], DATA[900:1800], DATA[1800:2500], DATA[2500:]]
HEAD = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:6\n"
MEDIA = HEAD + "".join(f"#EXTINF:6.0,\n{n}.ts?auth=1\n" for n in range(4)) + "#EXT-X-ENDLIST\n"
MASTER = """#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=300000,RESOLUTION=320x180,CODECS="avc1.42c01e,mp4a.40.2"
low/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360,CODECS="avc1.42c01e,mp4a.40.2"
high/media.m3u8
"""


class Site:
    """Files by path, without queries."""

    def __init__(self, files: Mapping[str, bytes | str | File]) -> None:
        self.files = dict(files)

    def __call__(self, asked: Asked) -> Answer:
        found = self.files.get(asked.target.partition("?")[0])
        if found is None:
            return Answer(404)
        if isinstance(found, File):
            return found(asked)
        return File(found.encode() if isinstance(found, str) else found)(asked)


def site() -> Site:
    files: dict[str, bytes | str | File] = {
        f"/high/{n}.ts": each for n, each in enumerate(SEGMENTS)
    }
    return Site({"/film.m3u8": MASTER, "/high/media.m3u8": MEDIA, **files})


async def test_a_playlist_is_refused_unless_it_is_allowed(ingests: Ingests) -> None:
    async with serving(site()) as origin:
        video_id = await ingests.create(origin.url("/film.m3u8"))
        await ingests.work()
        assert len(origin.asked) == 1
    view = await ingests.view(video_id)
    assert view["failure"].startswith("an HLS playlist, not a media file")
    assert view["steps"][0]["state"] == "failed"
    assert (await ingests.ingest(video_id))["status"] == "ingesting"
    assert await ingests.objects(video_id) == []


async def test_the_best_variant_becomes_one_file(ingests: Ingests) -> None:
    ingests = ingests.with_playlists()
    async with serving(site()) as origin:
        video_id = await ingests.create(origin.url("/film.m3u8"))
        assert await ingests.work() == 1
        assert [asked.target for asked in origin.asked] == [
            "/film.m3u8", "/high/media.m3u8", *(f"/high/{n}.ts?auth=1" for n in range(4)),
        ]  # fmt: skip
    assert await ingests.content(video_id) == DATA
    assert await ingests.ingest(video_id) == {
        "status": "ingested",
        "filesize": 4000,
        "receivedBytes": [{"from": 0, "to": 3999, "total": 4000}],
    }
    assert len(await ingests.assets(video_id)) == 1


async def test_fragments_follow_their_initialisation(ingests: Ingests) -> None:
    ingests = ingests.with_playlists()
    text = (
        HEAD
        + '#EXT-X-MAP:URI="all.mp4",BYTERANGE="500@0"\n'
        + "#EXTINF:6.0,\n#EXT-X-BYTERANGE:1500@500\nall.mp4\n"
        + '#EXT-X-MAP:URI="all.mp4",BYTERANGE="500@0"\n'
        + "#EXTINF:6.0,\n#EXT-X-BYTERANGE:2000\nall.mp4\n#EXT-X-ENDLIST\n"
    )
    async with serving(Site({"/a": "\ufeff" + text, "/all.mp4": DATA})) as origin:
        video_id = await ingests.create(origin.url("/a"))
        await ingests.work()
        ranges = [asked.headers.get("range") for asked in origin.asked]
        assert ranges == [None, "bytes=0-499", "bytes=500-1999", "bytes=2000-3999"]
    assert await ingests.content(video_id) == DATA


async def test_a_broken_playlist_goes_on_with_the_next_segment(ingests: Ingests) -> None:
    ingests = ingests.with_playlists()
    broken = site()
    broken.files["/high/3.ts"] = File(SEGMENTS[3], cut_after=10)
    async with serving(broken) as origin:
        video_id = await ingests.create(origin.url("/film.m3u8"))
        await ingests.run(await ingests.job())
        job = await ingests.job()
        with pytest.raises(OutboundError):
            await ingests.run(job)
        before = len(origin.asked)
        # Other signatures are no other file.
        origin.handler = site()
        origin.handler.files["/high/media.m3u8"] = MEDIA.replace("auth=1", "auth=2")
        await ingests.run(job)
        targets = [asked.target for asked in origin.asked[before:]]
        assert targets[-2:] == ["/high/2.ts?auth=2", "/high/3.ts?auth=2"]
        assert "/high/0.ts?auth=2" not in targets
    assert await ingests.content(video_id) == DATA


async def test_another_playlist_starts_again(ingests: Ingests) -> None:
    ingests = ingests.with_playlists()
    broken = site()
    broken.files["/high/3.ts"] = b""
    async with serving(broken) as origin:
        video_id = await ingests.create(origin.url("/film.m3u8"))
        broken.files.pop("/high/3.ts")
        await ingests.run(await ingests.job())
        changed = site()
        changed.files["/high/media.m3u8"] = HEAD + "#EXTINF:6,\n3.ts\n#EXT-X-ENDLIST\n"
        origin.handler = changed
        await ingests.work()
    assert await ingests.content(video_id) == SEGMENTS[3]


async def test_a_file_in_place_of_a_playlist_starts_again(ingests: Ingests) -> None:
    ingests = ingests.with_playlists()
    broken = site()
    broken.files.pop("/high/3.ts")
    async with serving(broken) as origin:
        video_id = await ingests.create(origin.url("/film.m3u8"))
        await ingests.run(await ingests.job())
        origin.handler = Site({"/film.m3u8": DATA[::-1]})
        await ingests.work()
    assert await ingests.content(video_id) == DATA[::-1]


SEGMENT = "#EXTINF:6.0,\n0.ts\n"
END = "#EXT-X-ENDLIST\n"
SOUND_APART = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="a.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"
v.m3u8
"""
ENCRYPTED = """#EXTM3U
#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="k"
#EXT-X-STREAM-INF:BANDWIDTH=1
v.m3u8
"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEAD + SEGMENT, "live"),
        (HEAD + '#EXT-X-KEY:METHOD=AES-128,URI="k"\n' + SEGMENT + END, "encrypted"),
        (HEAD + SEGMENT + "#EXT-X-DISCONTINUITY\n" + SEGMENT + END, "discontinuities"),
        (HEAD + "#EXT-X-GAP\n" + SEGMENT + END, "gaps"),
        (HEAD + END, "no segments"),
        (HEAD + SEGMENT + '#EXT-X-MAP:URI="b"\n' + SEGMENT + END, "changes its format"),
        (HEAD + "#EXT-X-BYTERANGE:5\n" + SEGMENT + END, "follows nothing"),
        ("#EXTM3U\n", "neither a multivariant nor a media playlist"),
        ("#EXTM3U\n\xff", "neither|UTF-8"),
        (SOUND_APART, "sound apart"),
        (ENCRYPTED, "encrypted"),
        (HEAD + "#EXTINF:6.0,\nfile:///etc/passwd\n" + END, "not an http"),
        (HEAD + "#EXTINF:6.0,\nhttp://u:p@127.0.0.1/\n" + END, "user name"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nfile:///etc/passwd\n", "not an http"),
    ],
)
async def test_what_cannot_be_one_file_is_refused(ingests: Ingests, text: str, reason: str) -> None:
    ingests = ingests.with_playlists()
    files: dict[str, bytes | str | File] = {
        "/film.m3u8": text.encode("latin-1"),
        "/0.ts": b"x",
        "/v.m3u8": MEDIA,
    }
    async with serving(Site(files)) as origin:
        video_id = await ingests.create(origin.url("/film.m3u8"))
        with pytest.raises(PermanentFailure, match=reason):
            await ingests.run(await ingests.job())
    assert (await ingests.step(video_id))["detail"]["reason"]


async def test_segments_are_bounded_together(ingests: Ingests) -> None:
    ingests = ingests.with_playlists().with_bounds(source_bytes=3999)
    async with serving(site()) as origin:
        await ingests.create(origin.url("/film.m3u8"))
        with pytest.raises(PermanentFailure, match="larger than 3999"):
            await ingests.run(await ingests.job())


async def test_a_segment_that_is_too_large_is_cut(ingests: Ingests) -> None:
    ingests = ingests.with_playlists().with_bounds(source_bytes=1000)
    async with serving(site()) as origin:
        await ingests.create(origin.url("/film.m3u8"))
        with pytest.raises(PermanentFailure, match="larger than"):
            await ingests.run(await ingests.job())
