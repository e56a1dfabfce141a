import pytest

from telecine.domains.uploads.content_range import parsed
from telecine.domains.uploads.room import Need


@pytest.mark.parametrize(
    ("header", "need"),
    [
        (None, Need(100, 100)),
        ("part 1/*", Need(100, 100)),
        ("part 1/1", Need(100, 100)),
        ("part 1/5", Need(100, 400)),
        ("part 4/5", Need(100, 400)),
        ("part 5/5", Need(100, 100)),
        ("bytes 0-89/1000", Need(90, 1000)),
        ("bytes 0-89/*", Need(100, 100)),
        ("nonsense", Need(100, 100)),
    ],
)
def test_what_an_upload_needs(header: str | None, need: Need) -> None:
    assert Need.of(100, parsed(header)) == need
