from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.formats.hls.check import check_growth, check_master, check_media, check_presentation
from telecine.formats.hls.playlist import MediaPlaylist, Segment, render_master, render_media
from tests.unit.formats.hls.test_playlist import LINES, MASTER

MASTER_TEXT = render_master(MASTER)


def media(*durations: str, target: int = 4, name: str = "m4s", **fields: object) -> str:
    playlist = MediaPlaylist(
        target_duration_s=target,
        segments=[Segment(f"{n}.{name}", Fraction(d)) for n, d in enumerate(durations)],
        map_uri="init.mp4" if name == "m4s" else None,
        **fields,  # type: ignore[arg-type]
    )
    return render_media(playlist)


VIDEO = media("2", "2", "4.004")
TEXTS = {
    "720p/manifest.m3u8": VIDEO,
    "audio/audio.m3u8": media("2.005333", "1.984", "4.01"),
    "captions/fr.m3u8": media("8", target=8, name="vtt"),
}


def test_our_own_playlists_are_without_fault() -> None:
    assert check_presentation(MASTER_TEXT, TEXTS) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("#EXT-X-INDEPENDENT-SEGMENTS\n", "", "EXT-X-INDEPENDENT-SEGMENTS is missing"),
        ("#EXT-X-VERSION:7\n", "#EXT-X-VERSION:7\n" * 2, "EXT-X-VERSION stands 2 times"),
        ("#EXT-X-VERSION:7\n", "#EXT-X-ENDLIST\n", "belongs into media playlists"),
        ("BANDWIDTH=4500000", "BANDWIDTH=1", "AVERAGE-BANDWIDTH 2928000"),
        ("RESOLUTION=1280x720,", "", "RESOLUTION is missing"),
        ("FRAME-RATE=29.970,", "", "FRAME-RATE is missing"),
        ('CODECS="avc1.64001f,mp4a.40.2"', 'CODECS="avc1.64001f"', "no codec of sound"),
        ('CODECS="avc1.64001f,mp4a.40.2",', "", "CODECS is missing"),
        ('GROUP-ID="audio"', 'GROUP-ID="b"', "there is no AUDIO group 'audio'"),
        ('GROUP-ID="captions"', 'GROUP-ID="b"', "there is no SUBTITLES group"),
        ("audio/audio.m3u8", "audio/manifest.m3u8", "looks like a video playlist"),
        ("AUTOSELECT=YES,CHANNELS", "AUTOSELECT=NO,CHANNELS", "AUTOSELECT=NO"),
        (',URI="captions/fr.m3u8"', "", "subtitles without URI"),
        ("720p/manifest.m3u8\n", "#EXT-X-STREAM-INF:BANDWIDTH=1\n", "no URI follows"),
        ("720p/manifest.m3u8\n", "720p/manifest.m3u8\r\n", "end with LF"),
        ("#EXTM3U", "#EXTM3", "first line"),
        ('NAME="default",', "", "NAME"),
    ],
)
def test_faults_of_multivariant_playlists(old: str, new: str, said: str) -> None:
    assert old in MASTER_TEXT
    assert any(said in problem for problem in check_master(MASTER_TEXT.replace(old, new)))


def test_doubles_are_found() -> None:
    lines = MASTER_TEXT.splitlines(keepends=True)
    problems = " ".join(check_master("".join([*lines, *lines[-2:], lines[3]])))
    for said in ("variant 720p/manifest.m3u8", "'default' stands 2 times", "2 defaults"):
        assert said in problems


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("TARGETDURATION:4", "TARGETDURATION:3", "lasts 4.004 s"),
        ("#EXTINF:4.004000", "#EXTINF:4.500000", "lasts 4.5 s"),
        ("#EXTINF:4.004000", "#EXTINF:0.000000", "lasts 0.0 s"),
        ("0.m4s\n", "", "two EXTINF"),
        ("2.m4s\n", "", "EXTINF without a segment"),
        ("#EXT-X-ENDLIST\n", "", "VOD without"),
        ("0.m4s\n", "0.m4s\n#EXT-X-ENDLIST\n", "behind EXT-X-ENDLIST"),
        ('#EXT-X-MAP:URI="init.mp4"\n', "", "without EXT-X-MAP"),
        ("0.m4s\n", '0.m4s\n#EXT-X-MAP:URI="b.mp4"\n', "behind the first"),
        ("VERSION:7", "VERSION:5", "6 is needed"),
        ("TYPE:VOD", "TYPE:LIVE", "TYPE LIVE"),
        ("#EXT-X-VERSION:7\n", "#EXT-X-MEDIA:TYPE=AUDIO\n", "belongs into multivariant"),
        ("#EXT-X-TARGETDURATION:4\n", "", "neither"),
    ],
)
def test_faults_of_media_playlists(old: str, new: str, said: str) -> None:
    assert old in VIDEO
    assert any(said in problem for problem in check_media(VIDEO.replace(old, new)))


def test_a_segment_may_round_down_to_the_target() -> None:
    assert check_media(media("4.499999")) == []


def test_each_kind_is_told_from_the_other() -> None:
    assert check_master(VIDEO) == ["not a multivariant playlist"]
    assert check_media(MASTER_TEXT) == ["not a media playlist"]


@pytest.mark.parametrize(
    ("uri", "text", "said"),
    [
        ("480p/manifest.m3u8", media("2", "2.000001", "4.003999"), "cut otherwise"),
        ("480p/manifest.m3u8", media("2", "2"), "cut otherwise"),
        ("480p/manifest.m3u8", media("2", "2", "4.004", target=5), "different target"),
        (
            "480p/manifest.m3u8",
            media("2", "2", "4.004", playlist_type="EVENT", ended=False),
            "others not",
        ),
        ("480p/manifest.m3u8", None, "480p/manifest.m3u8 is not there"),
        ("480p/manifest.m3u8", "#EXTM3U\n", "480p/manifest.m3u8: neither"),
        ("audio/audio.m3u8", media("4", "4", "4", "4"), "longer than the video"),
    ],
)
def test_faults_between_playlists(uri: str, text: str | None, said: str) -> None:
    stream, address = MASTER_TEXT.splitlines(keepends=True)[-2:]
    master = MASTER_TEXT + stream + address.replace("720p", "480p")
    texts = TEXTS | {"480p/manifest.m3u8": VIDEO}
    assert check_presentation(master, texts) == []
    if text is None:
        del texts[uri]
    else:
        texts[uri] = text
    assert any(said in problem for problem in check_presentation(master, texts))


def test_a_broken_master_ends_the_check() -> None:
    assert check_presentation("", {}) == ["the first line is not #EXTM3U"]


@given(st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=20))))
def test_no_text_breaks_the_checks(lines: list[str]) -> None:
    text = "\n".join(["#EXTM3U", *lines])
    assert check_master(text)
    check_media(text)
    assert check_presentation(text, {})


GROWING = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PLAYLIST-TYPE:EVENT
#EXT-X-START:TIME-OFFSET=0
#EXT-X-MAP:URI="init-1.mp4"
#EXTINF:2.000000,
1-0.m4s
"""
ONE_MORE = "#EXTINF:4.000000,\n1-1.m4s\n"
END = "#EXT-X-ENDLIST\n"


def test_a_playlist_may_grow_and_end() -> None:
    for after in (GROWING, GROWING + ONE_MORE, GROWING + ONE_MORE + END, GROWING + END):
        assert check_growth(GROWING, after) == []
    assert check_growth(GROWING + END, GROWING + END) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (GROWING + ONE_MORE, GROWING),
        (GROWING, GROWING.replace("2.000000", "2.100000") + ONE_MORE),
        (GROWING, GROWING.replace("DURATION:4", "DURATION:5")),
        (GROWING, GROWING.replace(":EVENT", ":VOD") + END),
        (GROWING, GROWING.replace("1-0", "2-0") + ONE_MORE),
        (GROWING + END, GROWING + ONE_MORE + END),
        (GROWING.replace("#EXT-X-PLAYLIST-TYPE:EVENT\n", ""), GROWING),
    ],
)
def test_nothing_that_was_published_changes(before: str, after: str) -> None:
    assert check_growth(before, after) != []
