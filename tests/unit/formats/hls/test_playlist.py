import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.formats.errors import FormatError
from telecine.formats.hls.playlist import (
    Master,
    Media,
    MediaPlaylist,
    Segment,
    Variant,
    parse,
    render_master,
    render_media,
)

MASTER = Master(
    renditions=(
        Variant(
            uri="720p/manifest.m3u8",
            bandwidth_bps=4_500_000,
            average_bandwidth_bps=2_928_000,
            codecs="avc1.64001f,mp4a.40.2",
            width_px=1280,
            height_px=720,
            frame_rate=Fraction(30_000, 1001),
            audio="audio",
            subtitles="captions",
        ),
    ),
    audio=(
        Media(
            group="audio",
            name="default",
            uri="audio/audio.m3u8",
            language="und",
            default=True,
            channels=2,
        ),
    ),
    subtitles=(Media(group="captions", name='Say "é"', uri="captions/fr.m3u8", language="fr"),),
)


def test_a_multivariant_playlist() -> None:
    assert render_master(MASTER) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="default",LANGUAGE="und",DEFAULT=YES,'
        'AUTOSELECT=YES,CHANNELS="2",URI="audio/audio.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="captions",NAME="Say \'é\'",LANGUAGE="fr",'
        'DEFAULT=NO,AUTOSELECT=YES,URI="captions/fr.m3u8"\n'
        "#EXT-X-STREAM-INF:BANDWIDTH=4500000,AVERAGE-BANDWIDTH=2928000,RESOLUTION=1280x720,"
        'FRAME-RATE=29.970,CODECS="avc1.64001f,mp4a.40.2",AUDIO="audio",SUBTITLES="captions"\n'
        "720p/manifest.m3u8\n"
    )


def test_a_media_playlist() -> None:
    playlist = MediaPlaylist(
        target_duration_s=4,
        segments=[Segment("1-0.m4s", Fraction(2)), Segment("1-1.m4s", Fraction(1001, 300))],
        map_uri="init-1.mp4",
    )
    assert render_media(playlist) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-TARGETDURATION:4\n"
        "#EXT-X-MEDIA-SEQUENCE:0\n"
        "#EXT-X-PLAYLIST-TYPE:VOD\n"
        '#EXT-X-MAP:URI="init-1.mp4"\n'
        "#EXTINF:2.000000,\n"
        "1-0.m4s\n"
        "#EXTINF:3.336667,\n"
        "1-1.m4s\n"
        "#EXT-X-ENDLIST\n"
    )


def test_a_playlist_that_grows() -> None:
    playlist = MediaPlaylist(
        target_duration_s=4, segments=[], playlist_type=None, ended=False, media_sequence=7
    )
    text = render_media(playlist)
    assert "PLAYLIST-TYPE" not in text
    assert "ENDLIST" not in text
    assert "#EXT-X-MEDIA-SEQUENCE:7\n" in text
    assert "MAP" not in text


@given(
    st.lists(st.integers(1, 10**7), min_size=1, max_size=200),
    st.sampled_from([48_000, 44_100, 120_000, 22_050, 7]),
    st.integers(0, 10**9),
)
def test_durations_never_drift(ticks: list[int], timescale: int, start: int) -> None:
    playlist = MediaPlaylist(
        target_duration_s=1,
        segments=[Segment(f"{n}.m4s", Fraction(t, timescale)) for n, t in enumerate(ticks)],
        start=Fraction(start, timescale),
    )
    back = parse(render_media(playlist))
    assert isinstance(back, MediaPlaylist)
    said, true = Fraction(0), Fraction(0)
    for segment, length in zip(back.segments, ticks, strict=True):
        said += segment.duration
        true += Fraction(length, timescale)
        assert abs(said - true) <= Fraction(1, 1_000_000)


def test_what_is_written_is_read_back() -> None:
    back = parse(render_master(MASTER))
    assert isinstance(back, Master)
    assert back.audio == MASTER.audio
    assert back.subtitles[0].name == "Say 'é'"
    assert back.renditions[0].frame_rate == Fraction("29.970")
    assert back.renditions[0].uri == "720p/manifest.m3u8"
    sound_only = Master(renditions=(Variant(uri="a.m3u8", bandwidth_bps=1, codecs="mp4a.40.2"),))
    assert parse(render_master(sound_only)) == sound_only
    media = MediaPlaylist(
        target_duration_s=3, segments=(Segment("0.ts", Fraction(5, 2)),), playlist_type="EVENT"
    )
    assert parse(render_media(media)) == media


def test_sound_must_not_look_like_video() -> None:
    audio = Media(group="audio", name="x", uri="audio/manifest.m3u8?format=ts")
    with pytest.raises(ValueError, match="looks like a video"):
        render_master(Master(renditions=(), audio=(audio,)))


@pytest.mark.parametrize("uri", ["", "a b", "#EXTINF:1", "a\nb"])
def test_uris_that_would_break_out_of_their_line_are_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="cannot be a line"):
        render_media(MediaPlaylist(target_duration_s=1, segments=[Segment(uri, Fraction(1))]))


def test_names_cannot_break_out_of_their_quotes() -> None:
    evil = Media(group="c", name='x",URI="http://evil/\n#EXT', uri="c.m3u8")
    back = parse(render_master(Master(renditions=MASTER.renditions, subtitles=(evil,))))
    assert isinstance(back, Master)
    assert [media.uri for media in back.subtitles] == ["c.m3u8"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#EXTINF:1,\na\n",
        "#EXTM3U\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:x\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\na.ts\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1e999999999,\na.ts\n",
        '#EXTM3U\n#EXT-X-STREAM-INF:CODECS="x"\na.m3u8\n',
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,BANDWIDTH=2\na.m3u8\n",
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=axb\na.m3u8\n",
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\nb.m3u8\n",
    ],
)
def test_broken_playlists_are_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse(text)


LINES = [
    "#EXTM3U",
    "#EXT-X-TARGETDURATION:4",
    "#EXT-X-MAP:URI=",
    "#EXTINF:1.5,",
    "#EXTINF:",
    '#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="a,b"',
    "#EXT-X-STREAM-INF:",
    "#EXT-X-MEDIA:TYPE=AUDIO",
    "a.m4s",
    "",
]


@given(st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=20))))
def test_no_text_breaks_the_parser_otherwise(lines: list[str]) -> None:
    with contextlib.suppress(FormatError):
        parse("\n".join(["#EXTM3U", *lines]))
