"""Init segments, which players need before the parts of a rendition, and what parts are of."""

from telecine.formats.codecs.live_tracks import TrackFormat
from telecine.formats.mp4.headers import TrackHeader
from telecine.formats.mp4.multitrack import Run, Sample, Track, movie_fragment, movie_init

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


def part_of(
    sequence: int, pictures: list[Sample], shown: int, sounds: list[Sample], heard: int
) -> bytes:
    """Return the fragment of a part; `shown`, `heard`: where its media begins, in ticks.

    One without any media has a run of no pictures.
    """
    runs = []
    if pictures or not sounds:
        runs.append(Run(VIDEO_ID, shown, pictures))
    if sounds:
        runs.append(Run(AUDIO_ID, heard, sounds))
    return movie_fragment(sequence, runs)


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
