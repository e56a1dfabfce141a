"""Init segments, which players need before the parts of a rendition, and sounds of parts."""

from telecine.formats.codecs.live_tracks import TrackFormat
from telecine.formats.mp4.headers import TrackHeader
from telecine.formats.mp4.multitrack import Sample, Track, movie_init

VIDEO_ID, AUDIO_ID = 1, 2


def init_of(video: TrackFormat | None, audio: TrackFormat | None) -> tuple[bytes, str]:
    """Return the init segment of the tracks that there are, and their codecs."""
    tracks, codecs = [], []
    for number, each in ((VIDEO_ID, video), (AUDIO_ID, audio)):
        if each is not None:
            header = TrackHeader(
                track_id=number,
                video=each.video,
                timescale=each.timescale,
                width_px=each.width_px,
                height_px=each.height_px,
            )
            tracks.append(Track(header, each.stsd))
            codecs.append(each.codecs)
    return movie_init(tracks), ",".join(codecs)


def split_off(sounds: list[Sample], at: int, until: int) -> tuple[list[Sample], int]:
    """Take the sounds off that begin at or behind `until`; return them, and where they begin.

    The first one begins at `at`; times are in ticks of their track.
    """
    for count, sound in enumerate(sounds):
        if at >= until:
            later = sounds[count:]
            del sounds[count:]
            return later, at
        at += sound.duration
    return [], 0
