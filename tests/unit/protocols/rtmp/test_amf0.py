import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.protocols.errors import ProtocolError
from telecine.protocols.rtmp import amf0

PLAIN = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20)
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(min_size=1, max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(VALUES, max_size=4))
def test_what_was_written_is_read(values: list[amf0.Value]) -> None:
    assert amf0.decode(amf0.encode(*values)) == values


def test_the_count_of_an_ecma_array_is_a_hint() -> None:
    body = amf0.encode({"width": 640})[1:]
    for count in (0, 1, 99):
        assert amf0.decode(b"\x08" + count.to_bytes(4) + body) == [{"width": 640.0}]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x02\x00\x05ab", "ends early"),
        (b"\x00\x00", "ends early"),
        (b"\x0d", "type 13"),
        (b"\x0a\x00\x00\x00\x01" * 12, "nest deeper"),
        (b"\x05" * 65, "more than 64"),
        (b"\x0a\xff\xff\xff\xff" + b"\x05" * 5000, "more than 4096"),
    ],
)
def test_what_cannot_be_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        amf0.decode(data)


@given(st.binary(max_size=200))
def test_what_was_read_is_not_longer_when_it_is_handed_on(text: bytes) -> None:
    name, value = len(text).to_bytes(2) + text, b"\x02" + len(text).to_bytes(2) + text
    data = b"\x03" + name + value + b"\0\0\x09"
    assert len(amf0.encode(*amf0.decode(data))) <= len(data)


def test_the_longest_name_that_can_be_read_can_be_written() -> None:
    data = b"\x03" + b"\xff\xff" + b"\xff" * 0xFFFF + b"\x05\0\0\x09"
    (told,) = amf0.decode(data)
    assert len(amf0.encode(told)) == len(data)
    with pytest.raises(ValueError, match="a name of 65536 bytes"):
        amf0.encode({"a" * (1 << 16): None})
