import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from telecine.formats.mp4.fragment import moof
from telecine.formats.mp4.moofs import moofs
from telecine.formats.mp4.samples import Samples

ROWS = st.lists(
    st.tuples(
        st.integers(0, 2**32 - 1), st.sampled_from([1000, 1001]), st.integers(-9, 9), st.booleans()
    ),
    max_size=30,
)


@given(ROWS, st.data(), st.booleans())
def test_many_at_once_are_what_each_is_alone(
    rows: list[tuple[int, int, int, bool]], data: st.DataObject, video: bool
) -> None:
    table = np.array([row[:3] for row in rows], np.int64).reshape(-1, 3)
    keyframes = np.array([row[3] for row in rows], np.bool_)

    def part(first: int, end: int) -> Samples:
        return Samples(
            sizes=table[first:end, 0],
            durations=table[first:end, 1],
            composition_offsets=table[first:end, 2],
            keyframes=keyframes[first:end],
        )

    inner = data.draw(st.lists(st.integers(0, len(rows))))
    bounds = [0, *sorted(inner), len(rows)]
    times = [7 * number for number in range(len(bounds) - 1)]
    made = moofs(5, times, part(0, len(rows)), bounds, video=video)
    assert made == [
        moof(5 + number, time, part(bounds[number], bounds[number + 1]), video=video)
        for number, time in enumerate(times)
    ]
