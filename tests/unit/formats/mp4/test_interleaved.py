import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.formats.errors import FormatError
from telecine.formats.mp4.headers import TrackHeader
from telecine.formats.mp4.interleaved import Shown, TrackInit, read_samples, read_tracks
from telecine.formats.mp4.multitrack import Run, Sample, Track, movie_fragment, movie_init

SAMPLES = st.lists(
    st.builds(
        Sample,
        duration=st.integers(0, 9000),
        offset=st.integers(-900, 900),
        key=st.booleans(),
        data=st.binary(max_size=40),
    ),
    max_size=8,
)


def shown(run: Run) -> list[Shown]:
    found, time = [], run.decode_time
    for each in run.samples:
        found.append(Shown(each.data, time + each.offset, each.duration, each.key))
        time += each.duration
    return found


@given(SAMPLES, SAMPLES, st.integers(0, 1 << 50))
def test_what_is_written_is_read_again(
    pictures: list[Sample], sounds: list[Sample], time: int
) -> None:
    runs = [Run(1, time, pictures), Run(2, time + 7, sounds)]
    data = movie_fragment(1, runs) + movie_fragment(2, runs[:1])
    assert read_samples(data) == {1: shown(runs[0]) * 2, 2: shown(runs[1])}


def test_tracks_are_known_by_their_ids() -> None:
    stsd = bytes(8)
    header = TrackHeader(track_id=2, video=False, timescale=48000, width_px=0, height_px=0)
    found = read_tracks(movie_init([Track(header, stsd)]))
    assert found.keys() == {2}
    assert isinstance(found[2], TrackInit)
    assert found[2].timescale == 48000


def test_a_run_that_ends_early_is_refused() -> None:
    data = movie_fragment(1, [Run(1, 0, [Sample(1, 0, True, b"x")] * 3)])
    at = data.index(b"trun") + 8
    with pytest.raises(FormatError):
        read_samples(data[:at] + (9).to_bytes(4) + data[at + 4 :])
