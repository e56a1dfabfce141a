from hypothesis import given
from hypothesis import strategies as st

from telecine.storage.store import cut


@given(st.lists(st.binary(max_size=5), max_size=6), st.integers(0, 40))
def test_pieces_are_cut_at_a_byte(pieces: list[bytes], at_bytes: int) -> None:
    first, rest = cut(pieces, at_bytes)
    data = b"".join(pieces)
    assert b"".join(first) == data[:at_bytes]
    assert b"".join(rest) == data[at_bytes:]
