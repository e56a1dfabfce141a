import pytest

from telecine.formats.errors import FormatError
from telecine.formats.hls import whole
from telecine.formats.hls.whole import Stretch, best_variant, stretches

HEAD = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n"
END = "#EXT-X-ENDLIST\n"


def test_the_largest_picture_wins_then_the_highest_rate() -> None:
    text = """#EXTM3U
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=9000000,RESOLUTION=3840x2160,URI="frames.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=5000000,RESOLUTION=640x360
noisy.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=3000000,RESOLUTION=1280x720
hd-low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=4000000,RESOLUTION=1280x720
hd.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS="mp4a.40.2"
sound.m3u8
"""
    assert best_variant(text) == "hd.m3u8"


def test_sound_in_the_same_segments_is_not_apart() -> None:
    text = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="main",DEFAULT=YES
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="other",NAME="x",URI="x.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"
v.m3u8
"""
    assert best_variant(text) == "v.m3u8"


def test_a_media_playlist_has_no_variants() -> None:
    assert best_variant(HEAD + "#EXTINF:1,\na\n" + END) is None


def test_segments_and_ranges_come_in_order() -> None:
    text = (
        HEAD
        + '#EXT-X-MAP:URI="init.mp4"\n'
        + "#EXTINF:6,\n#EXT-X-BYTERANGE:100@50\nall.mp4\n"
        + "#EXTINF:6,\n#EXT-X-BYTERANGE:10\nall.mp4\n"
        + "#EXT-X-KEY:METHOD=NONE\n#EXTINF:6,\nb.mp4\n"
        + END
    )
    assert stretches(text) == [
        Stretch("init.mp4"),
        Stretch("all.mp4", 50, 100),
        Stretch("all.mp4", 150, 10),
        Stretch("b.mp4"),
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("#EXTINF:6,\n#EXT-X-BYTERANGE:10\nall.mp4\n", "follows nothing"),
        ("#EXTINF:6,\na\n#EXTINF:6,\n#EXT-X-BYTERANGE:10\na\n", "follows nothing"),
        ("#EXTINF:6,\n#EXT-X-BYTERANGE:x@0\na\n", "byte range"),
        ("#EXTINF:6,\n#EXT-X-BYTERANGE:1@\na\n", "byte range"),
        ("#EXTINF:6,\n#EXT-X-BYTERANGE:1@-1\na\n", "byte range"),
        ("#EXT-X-MAP:X=1\n#EXTINF:6,\na\n", "without URI"),
        ('#EXT-X-MAP:URI="a"\n', "no segments"),
        ('#EXT-X-MAP:URI="a"\n#EXTINF:6,\na\n#EXT-X-MAP:URI="b"\n', "changes its format"),
        ("#EXT-X-I-FRAMES-ONLY\n#EXTINF:6,\na\n", "key frames only"),
        ("#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n#EXTINF:6,\na\n", "delta"),
        ('#EXT-X-DEFINE:NAME="a",VALUE="b"\n#EXTINF:6,\n{$a}\n', "variables"),
        ("#EXT-X-KEY:garbage\n#EXTINF:6,\na\n", "attribute list"),
    ],
)
def test_what_is_not_one_file_is_told(body: str, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        stretches(HEAD + body + END)


def test_there_is_an_end_to_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "MAX_STRETCHES", 2)
    with pytest.raises(FormatError, match="more than 2 segments"):
        stretches(HEAD + "#EXTINF:6,\na\n" * 3 + END)
