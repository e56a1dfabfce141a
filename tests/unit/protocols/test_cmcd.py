from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.protocols.cmcd import MAX_BYTES, ClientData, read
from telecine.protocols.errors import ProtocolError

SID = '"6e2fb550-c457-11e9-bb97-0800200c9a66"'


def asked(text: str, before: str = "") -> ClientData | None:
    """What is read of a query."""
    return read(f"{before}CMCD={quote(text, safe='')}".encode(), [])


def told(text: str) -> ClientData:
    found = asked(text)
    assert found is not None
    return found


def test_what_the_first_version_tells() -> None:
    text = 'bl=21300,br=3200,bs,cid="faec5fc2",d=4004,dl=18500,mtp=48100,nor="..%2F300kbps",'
    found = told(f'{text}nrr="12323-48763",ot=v,pr=1.08,rtp=12000,sf=d,sid={SID},st=v,su,tb=6000')
    assert found == ClientData(
        session=SID[1:-1],
        buffer_ms=21300,
        starved=True,
        urgent=True,
        bitrate_kbps=3200,
        throughput_kbps=48100,
        duration_ms=4004,
        follows=True,
    )


def test_what_the_second_version_tells() -> None:
    text = "bl=(3100;a 2200;v),br=(320;a 5000;v),bs=?1,bsd=(1200),d=4000,msd=740,mtp=(6200 450;a)"
    found = told(f'{text},nor=("a(1).m4s" "b,c.m4s";r="0-9"),sid={SID},sn=4,sta=f,su=?0,v=2')
    assert found == ClientData(
        session=SID[1:-1],
        buffer_ms=2200,
        starved=True,
        bitrate_kbps=5000,
        throughput_kbps=6200,
        duration_ms=4000,
        start_ms=740,
        stall_ms=1200,
        follows=True,
        failed=True,
    )


def test_headers_tell_the_same_as_a_query() -> None:
    headers = [
        (b"host", b"x"),
        (b"cmcd-request", b'bl=1000,nor="a%22b",su'),
        (b"cmcd-object", b"br=800,d=2000,ot=v"),
        (b"cmcd-session", f"sid={SID}".encode()),
        (b"cmcd-status", b""),
    ]
    expected = told(f"bl=1000,su,br=800,d=2000,sid={SID},nor=x")
    assert read(b"", headers) == expected
    assert read(b"a=1&CMCD=" + quote(f"sid={SID}").encode() + b"&b=2", headers[:4]) == expected


# Of iOS 18: four headers and no query, version 1 with the `lh` of the second one for streams of
# low latency, none of `cid`, `rtp` and `tb`. Which headers come with which request is up to it.
OF_AVPLAYER = {
    "a playlist": [
        (b"cmcd-object", b"ot=m"),
        (b"cmcd-request", b"su"),
        (b"cmcd-session", b'sf=h,sid="0B7D4C2E-5C6E-4F0B-9C55-4B8B9A1F2D11",st=v,v=1'),
    ],
    "a piece": [
        (b"cmcd-object", b"br=3200, d=4004, ot=av"),
        (b"cmcd-request", b"bl=0, dl=0, mtp=24100, su"),
        (b"cmcd-session", b'sf=h, sid="0B7D4C2E-5C6E-4F0B-9C55-4B8B9A1F2D11", st=v'),
        (b"cmcd-status", b""),
    ],
    "behind a wait": [
        (b"cmcd-status", b"bs"),
        (b"cmcd-request", b"bl=800,mtp=900"),
        (b"cmcd-object", b"br=800,d=4000,ot=v"),
        (b"cmcd-session", b"pr=0,sf=lh,sid=0B7D4C2E-5C6E-4F0B-9C55-4B8B9A1F2D11,st=l"),
    ],
}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("a playlist", {"urgent": True}),
        (
            "a piece",
            {
                "buffer_ms": 0,
                "urgent": True,
                "bitrate_kbps": 3200,
                "throughput_kbps": 24100,
                "duration_ms": 4004,
            },
        ),
        (
            "behind a wait",
            {
                "buffer_ms": 800,
                "starved": True,
                "bitrate_kbps": 800,
                "throughput_kbps": 900,
                "duration_ms": 4000,
            },
        ),
    ],
)
def test_the_headers_of_avplayer(kind: str, expected: dict[str, Any]) -> None:
    headers, session = OF_AVPLAYER[kind], "0B7D4C2E-5C6E-4F0B-9C55-4B8B9A1F2D11"
    assert read(b"", headers) == ClientData(session=session, **expected)
    # A proxy may join them, or a program of its own may take a query for the same.
    joined = b", ".join(value for _, value in headers if value).decode()
    assert asked(joined) == read(b"", headers)


@pytest.mark.parametrize("query", [b"", b"avh=1", b"XCMCD=sid%3Da", b"cmcd=sid%3Da", b"a=CMCD"])
def test_others_tell_nothing(query: bytes) -> None:
    assert read(query, [(b"x-cmcd-request", b"bl=1"), (b"range", b"bytes=0-")]) is None


@pytest.mark.parametrize(
    ("pair", "field"),
    [
        ("bl=-100", "buffer_ms"),
        ("bl=1e9", "buffer_ms"),
        ("bl=99999999999999999999", "buffer_ms"),
        ("bl", "buffer_ms"),
        ("bl=(1000 x)", "buffer_ms"),
        ("bl=()", "buffer_ms"),
        ("br=10000001", "bitrate_kbps"),
        ('br="300"', "bitrate_kbps"),
        ("d=3600001", "duration_ms"),
        ("mtp=nan", "throughput_kbps"),
    ],
)
def test_what_cannot_be_is_left_out_and_counted(pair: str, field: str) -> None:
    found = told(f"{pair},sid={SID},pr=1")
    assert getattr(found, field) is None
    assert found.invalid == 1
    assert told(f"bs=2,su=x,sid={SID}").invalid == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bl=100",
        "sid=",
        'sid=""',
        f'sid="{"a" * 65}"',
        'sid="a b"',
        'sid="unended',
        f"sid={SID},bl=(1000",
        f"sid={SID},,",
        f"=1,sid={SID}",
        f"sid={SID}\0",
        f"sid={SID}," + "x=1," * MAX_BYTES,
        'sid="' + '\\"' * 100,
    ],
)
def test_what_nobody_sends_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        asked(text)


def test_what_is_long_is_refused_before_it_is_looked_at() -> None:
    with pytest.raises(ProtocolError):
        asked("(" * 20 * MAX_BYTES)
    with pytest.raises(ProtocolError):
        read(b"", [(b"cmcd-session", b"(" * 20 * MAX_BYTES)])


_SOME = st.one_of(
    st.text(max_size=300),
    st.lists(
        st.sampled_from(["sid", "bl", "=", ",", '"', "\\", "(", ")", ";v", " ", "1", "?1", "nor"]),
        max_size=60,
    ).map("".join),
)


@given(_SOME, st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(text: str, header: bytes) -> None:
    for query, headers in ((text, []), ("sid%3Da", [(b"cmcd-request", header)])):
        given: list[Any] = headers
        try:
            found = read(b"CMCD=" + quote(query, safe="%").encode(), given)
        except ProtocolError:
            continue
        assert found is not None
        assert 0 < len(found.session) <= 64
