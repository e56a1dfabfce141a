import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from telecine.formats.mp4.samples import expand, run_lengths


@given(st.lists(st.integers(0, 3)))
def test_run_lengths_expand_to_the_same_values(values: list[int]) -> None:
    array = np.array(values, np.int64)
    counts, kept = run_lengths(array)
    assert expand(counts, kept, len(array)).tolist() == values
    assert (np.diff(kept) != 0).all()


def test_hostile_counts_allocate_no_more_than_asked() -> None:
    counts = np.array([2, 0xFFFFFFFF, 0xFFFFFFFF], np.int64)
    assert expand(counts, np.array([7, 8, 9], np.int64), 4).tolist() == [7, 7, 8, 8]
