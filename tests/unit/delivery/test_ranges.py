import email
from email.message import Message

import pytest
from starlette.types import Scope

from telecine.delivery.parts import Part
from telecine.delivery.ranges import MOST, NothingOfIt, partial

FILE = bytes(range(100))
PARTS: list[Part] = [FILE[:30], FILE[30:]]


def scope(asked: str, if_range: bytes | None = None) -> Scope:
    headers = [(b"range", asked.encode())]
    if if_range:
        headers.append((b"if-range", if_range))
    return {"method": "GET", "headers": headers}


def body(parts: object) -> bytes:
    assert isinstance(parts, list)
    return b"".join(parts)


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=20-39", 20, 40),
        ("bytes=90-", 90, 100),
        ("bytes=-10", 90, 100),
        ("bytes=-1000", 0, 100),
        ("bytes=0-1000", 0, 100),
        ("bytes= 5-6 ", 5, 7),
        ("bytes=5-6,100-", 5, 7),  # of two that are asked for, one is there
    ],
)
def test_one_range(asked: str, start: int, end: int) -> None:
    found = partial(scope(asked), b'"a"', PARTS, b"video/mp4", 100)
    assert found is not None
    assert body(found.parts) == FILE[start:end]
    assert found.content_type == b"video/mp4"
    assert found.content_range == b"bytes %d-%d/100" % (start, end - 1)


def test_several_ranges_are_parts_of_a_message() -> None:
    found = partial(scope("bytes=0-4, 28-31,-2"), b'"a"', PARTS, b"video/mp4", 100)
    assert found is not None
    assert found.content_range is None
    message: Message = email.message_from_bytes(
        b"content-type: " + found.content_type + b"\r\n\r\n" + body(found.parts)
    )
    assert message.get_content_type() == "multipart/byteranges"
    told = [
        (part["content-range"], part.get_content_type(), part.get_payload(decode=True))
        for part in message.walk()
        if part is not message
    ]
    assert told == [
        ("bytes 0-4/100", "video/mp4", FILE[:5]),
        ("bytes 28-31/100", "video/mp4", FILE[28:32]),
        ("bytes 98-99/100", "video/mp4", FILE[98:]),
    ]


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=5-4",
        "bytes=a-b",
        "bytes=1-2,x",
        "bytes=1-2,,3-4",
        "items=0-1",
        "bytes=0-,0-",  # more than there is
        "bytes=" + ",".join("0-0" for _ in range(MOST + 1)),
        "bytes=" + "9" * 19 + "-",
    ],
)
def test_what_makes_no_sense_is_all_of_it(asked: str) -> None:
    assert partial(scope(asked), b'"a"', PARTS, b"video/mp4", 100) is None


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=100-,200-300"])
def test_nothing_of_it(asked: str) -> None:
    with pytest.raises(NothingOfIt):
        partial(scope(asked), b'"a"', PARTS, b"video/mp4", 100)


def test_a_range_of_another_version_is_all_of_this_one() -> None:
    asked = "bytes=0-1"
    assert partial(scope(asked, b'"a"'), b'"a"', PARTS, b"video/mp4", 100) is not None
    assert partial(scope(asked, b'"b"'), b'"a"', PARTS, b"video/mp4", 100) is None


def test_other_methods_have_no_ranges() -> None:
    for asked in ("bytes=0-1", "bytes=100-"):
        assert partial({**scope(asked), "method": "HEAD"}, b'"a"', PARTS, b"video/mp4", 100) is None
