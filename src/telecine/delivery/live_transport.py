"""The MPEG-TS view of a live stream: whole segments `N.ts`, for players of another time."""

from datetime import UTC, datetime
from fractions import Fraction

from telecine.formats.codecs.aac import parse_esds
from telecine.formats.codecs.h264 import parse_avcc
from telecine.formats.errors import FormatError
from telecine.formats.mp4.interleaved import Shown, read_samples, read_tracks
from telecine.formats.mp4.sample_entry import entry_box
from telecine.formats.mpegts.muxer import CLOCK_HZ, Audio, Sample, Video, segment
from telecine.live.fragments import AUDIO_ID, VIDEO_ID
from telecine.live.window import Window

_CODECS = ("avc1.", "mp4a.40")


def can_be_transport(window: Window) -> bool:
    """Tell whether everything of a window is H.264 and AAC."""
    return all(
        codec.startswith(_CODECS)
        for init in window.inits.values()
        for codec in init.codecs.split(",")
    )


def transport_playlist(window: Window) -> str:
    """Return the playlist of the segments that are whole (RFC 8216)."""
    targets = window.targets
    assert targets is not None  # noqa: S101 - a playable window has them
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:3",
        f"#EXT-X-TARGETDURATION:{targets.segment_s}",
        f"#EXT-X-MEDIA-SEQUENCE:{window.segments[0].msn}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{window.discontinuities_gone}",
    ]
    for each in window.segments:
        if each.ended:
            begins = datetime.fromtimestamp(each.received_ms / 1000, UTC)
            stamp = begins.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            lines += ["#EXT-X-DISCONTINUITY"] * each.discontinuity
            lines += [
                f"#EXT-X-PROGRAM-DATE-TIME:{stamp}",
                f"#EXTINF:{each.duration_ms / 1000:.3f},",
                f"{each.msn}.ts",
            ]
    if window.ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join([*lines, ""])


def transport_segment(number: int, init: bytes, data: bytes) -> bytes:
    """Return a segment as transport stream. Raises FormatError: not of H.264 and AAC."""
    tracks, samples = read_tracks(init), read_samples(data)
    video = audio = None
    if VIDEO_ID in tracks and samples.get(VIDEO_ID):
        config = entry_box(tracks[VIDEO_ID].stsd, b"avcC", video=True)
        if config is None:
            raise FormatError("MPEG-TS is made of H.264 only")
        shown, timescale = samples[VIDEO_ID], tracks[VIDEO_ID].timescale
        usual = sorted(each.duration for each in shown)[len(shown) // 2]
        video = Video(
            parse_avcc(config), _timed(shown, timescale), max(1, usual * CLOCK_HZ // timescale)
        )
    if AUDIO_ID in tracks and samples.get(AUDIO_ID):
        track = tracks[AUDIO_ID]
        audio = Audio(parse_esds(track.stsd), _timed(samples[AUDIO_ID], track.timescale))
    return segment(number, video, audio)


def _timed(samples: list[Shown], timescale: int) -> list[Sample]:
    return [
        Sample(each.data, round(Fraction(each.shown * CLOCK_HZ, timescale)), each.key)
        for each in samples
    ]
