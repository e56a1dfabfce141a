import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.formats.errors import FormatError
from telecine.formats.flv.tags import AUDIO, VIDEO, TagReader, header, tag

TAGS = [(VIDEO, 0, b"config"), (AUDIO, 5, b""), (VIDEO, 0x01020304, bytes(3000))]


@given(st.integers(1, 4000))
def test_what_is_written_is_read_again_however_it_comes(read: int) -> None:
    data = header(video=True, audio=True) + b"".join(tag(*each) for each in TAGS)
    reader = TagReader()
    found = [each for at in range(0, len(data), read) for each in reader.feed(data[at : at + read])]
    assert found == TAGS


def test_what_is_no_flv_is_refused() -> None:
    with pytest.raises(FormatError, match="no FLV"):
        TagReader().feed(bytes(20))
