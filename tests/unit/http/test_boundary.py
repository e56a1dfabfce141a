import random

import pytest

from telecine.http import boundary
from telecine.http.boundary import Delimiter, find


@pytest.fixture(params=["library", "own"])
def any_search(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the C library's search, as long as there is one, and without."""
    if request.param == "own":
        monkeypatch.setattr(boundary, "_memmem", None)
    else:
        monkeypatch.setattr(boundary, "_SHORT_BYTES", 1)
        assert boundary._memmem is not None


@pytest.mark.usefixtures("any_search")
def test_the_first_of_several_is_found() -> None:
    noise = random.Random(4).randbytes(300_000)
    wanted = b"\r\n--XX"
    assert wanted not in noise
    for at in (0, 1, 4095, 131_072, 300_000 - len(wanted)):
        data = noise[:at] + wanted + noise[at:] + wanted
        assert find(data, wanted) == at
        assert find(memoryview(bytearray(data)), wanted) == at
    assert find(noise, wanted) == -1
    assert find(b"", wanted) == -1
    # A NUL ends no search, and neither does the end of a shorter object.
    assert find(b"\0" * 5000 + wanted + b"\0", wanted) == 5000
    assert find(wanted[:-1], wanted) == -1


@pytest.mark.usefixtures("any_search")
@pytest.mark.parametrize(
    ("data", "clear"),
    [
        (b"data", 4),
        (b"da\r\n--XXta", 2),
        (b"da\r\n--XX\r\n--XX", 2),
        (b"data\r", 4),
        (b"data\r\n--X", 4),
        (b"data\r\r\n-", 5),
        (b"data\r\n--Y", 9),
        (b"data\r\n--X\r", 9),
        (b"\r\n--X", 0),
        (b"", 0),
    ],
)
def test_what_may_begin_a_delimiter_is_not_clear(data: bytes, clear: int) -> None:
    assert Delimiter(b"XX").clear_bytes(data) == clear
    assert Delimiter(b"XX").clear_bytes(memoryview(bytearray(data))) == clear
