from telecine.delivery.gate import in_session, pictures_in_session
from telecine.formats.hls.playlist import parse

PLAYLIST = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="URI=",URI="audio/audio.m3u8"
#EXT-X-MAP:URI="init-1.mp4"
#EXTINF:2.0,
1-0.m4s
#EXTINF:2.0,
video-1-1.ts?format=ts
#EXT-X-ENDLIST
"""


def test_every_uri_of_a_playlist_carries_the_session() -> None:
    assert in_session(PLAYLIST, "s").splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="URI=",URI="audio/audio.m3u8?avh=s"',
        '#EXT-X-MAP:URI="init-1.mp4?avh=s"',
        "#EXTINF:2.0,",
        "1-0.m4s?avh=s",
        "#EXTINF:2.0,",
        "video-1-1.ts?format=ts&avh=s",
        "#EXT-X-ENDLIST",
    ]


def test_it_stays_a_playlist() -> None:
    text = '#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="a"\nv.m3u8\n'
    assert parse(in_session(text, "abc")) != parse(text)


def test_pictures_of_previews_carry_it_too() -> None:
    cue = "00:00.000 --> 00:02.000\nstoryboard-1-0.jpg#xywh=0,0,160,90\n"
    carried = pictures_in_session(cue, "s")
    assert carried == cue.replace(".jpg", ".jpg?avh=s")
