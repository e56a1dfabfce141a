import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.formats import webvtt
from telecine.formats.errors import FormatError
from telecine.formats.webvtt import Cue, from_subrip, is_subrip, parse, with_timestamp_map

PLAIN = b"WEBVTT\n\n00:01.000 --> 00:04.000\nhello\n"


def test_a_plain_file() -> None:
    found = parse(PLAIN)
    assert found.cues == [Cue(1000, 4000, "hello")]
    assert (found.header_bytes, found.skipped) == (7, 0)


@pytest.mark.parametrize(
    ("head", "header_bytes"),
    [
        (b"WEBVTT\r\n", 8),
        (b"WEBVTT\rKind: captions\n", 7),
        (b"\xef\xbb\xbfWEBVTT\n", 10),
        ("WEBVTT - Übersetzung\nKind: captions\n".encode(), 22),
        (b"WEBVTT\tFILE\n", 12),
    ],
)
def test_the_first_line_may_say_more(head: bytes, header_bytes: int) -> None:
    found = parse(head + PLAIN[7:])
    assert found.header_bytes == header_bytes
    assert [cue.text for cue in found.cues] == ["hello"]


def test_everything_that_a_file_may_have() -> None:
    text = """WEBVTT

NOTE 00:09.000 is not a cue
of two lines

STYLE
::cue { color: red }

REGION
id:fred

intro
00:00:00.000 --> 00:00:01.500 align:start position:10%
<v Fred>first</v>
second line

123:59:59.999 --> 124:00:00.000
late
"""
    assert parse(text.encode()).cues == [
        Cue(0, 1500, "<v Fred>first</v>\nsecond line"),
        Cue(446_399_999, 446_400_000, "late"),
    ]


@pytest.mark.parametrize(
    "times",
    [
        "00:01.000 -> 00:04.000 -->",
        "00:01,000 --> 00:04,000",
        "1:01.000 --> 00:04.000",
        "00:61.000 --> 00:64.000",
        "00:04.000 --> 00:01.000",
        "00:01.000 --> 00:01.000",
        "00:01.000 --> ",
        "9999999:00:00.000 --> 9999999:00:01.000",
        "00:01.000 --> 00:04.000x",
        "\u0660\u0660:01.000 --> 00:04.000",
    ],
)
def test_what_players_skip_is_skipped(times: str) -> None:
    found = parse(PLAIN + f"\n{times}\nbroken\n".encode())
    assert [cue.text for cue in found.cues] == ["hello"]
    assert found.skipped == 1
    with pytest.raises(FormatError, match="form 00:00:00"):
        parse(f"WEBVTT\n\n{times}\nbroken\n".encode())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "WEBVTT"),
        (b"WEBVTTX\n", "WEBVTT"),
        (b" WEBVTT\n", "WEBVTT"),
        (b"webvtt\n", "WEBVTT"),
        (b"\x89PNG\r\n", "WEBVTT"),
        (b"WEBVTT\n\n00:01.000 --> 00:04.000\n\xff\n", "UTF-8"),
        ("WEBVTT\n".encode("utf-16"), "WEBVTT"),
    ],
)
def test_what_is_none_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        parse(data)


@pytest.mark.parametrize("data", [b"WEBVTT", b"WEBVTT\n", b"WEBVTT\n\nNOTE nothing yet\n"])
def test_a_file_may_be_empty(data: bytes) -> None:
    assert parse(data).cues == []


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(rest: bytes) -> None:
    for data in (rest, b"WEBVTT\n\n" + rest, PLAIN + b"\n" + rest):
        try:
            found = parse(data)
        except FormatError:
            continue
        assert all(cue.start_ms < cue.end_ms for cue in found.cues)
        assert webvtt.is_webvtt(data)


def test_many_cues_take_a_linear_time() -> None:
    assert len(parse(PLAIN + b"\n\n00:01.000 --> 00:04.000\nx" * 100_000).cues) == 100_001
    assert parse(b"WEBVTT\n\n" + b" \t" * 500_000 + b"\n").cues == []


@pytest.mark.parametrize(
    ("header", "ticks", "mapped"),
    [
        (b"WEBVTT\n", 0, b"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n"),
        (b"WEBVTT\r\n", 900_000, b"WEBVTT\r\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000\n"),
        (b"WEBVTT", 0, b"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n"),
    ],
)
def test_where_time_begins(header: bytes, ticks: int, mapped: bytes) -> None:
    assert with_timestamp_map(header, ticks) == mapped
    assert parse(mapped + PLAIN[7:]).cues == parse(PLAIN).cues


SUBRIP = """1
00:00:01,000 --> 00:00:04,5
<i>Hello</i> & <font color="red">welcome</font> {\\an8}<script>

2
1:02:03,004 --> 01:02:04,000 X1:40 X2:600 Y1:20 Y2:50
a --> b
second
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_subrip_becomes_webvtt(encoding: str, end: str) -> None:
    data = SUBRIP.replace("\n", end).encode(encoding)
    assert is_subrip(data)
    found = parse(from_subrip(data))
    assert found.skipped == 0
    assert found.cues == [
        Cue(1000, 4500, "<i>Hello</i> &amp; welcome &lt;script&gt;"),
        Cue(3_723_004, 3_724_000, "a -&gt; b\nsecond"),
    ]


def test_subrip_of_old_programs() -> None:
    data = "1\n00:00:01,000 --> 00:00:02,000\nd\u00e9j\u00e0 vu\n".encode("cp1252")
    assert [cue.text for cue in parse(from_subrip(data)).cues] == ["d\u00e9j\u00e0 vu"]


def test_subrip_without_numbers_or_blank_lines() -> None:
    data = b"00:00:01,000 --> 00:00:02,000\na\n\n\n00:00:03.000 --> 00:00:04.000\nb"
    assert is_subrip(data)
    assert [cue.text for cue in parse(from_subrip(data)).cues] == ["a", "b"]


@pytest.mark.parametrize("data", [b"", b"1\n2\n3", PLAIN, b"\x00" * 100, b"1\n", b"{\\rtf1}"])
def test_other_files_are_not_subrip(data: bytes) -> None:
    assert not is_subrip(data)


@given(st.binary(max_size=300))
def test_whatever_looks_like_subrip_becomes_readable(rest: bytes) -> None:
    data = b"1\n00:00:01,000 --> 00:00:02,000\n" + rest
    assert is_subrip(data)
    assert parse(from_subrip(data)).cues[0].start_ms == 1000


@pytest.mark.parametrize(
    ("file", "language"),
    [
        ("WEBVTT\nKind: captions\nLanguage: pt-BR \n\n00:01.000 --> 00:02.000\nx\n", "pt-BR"),
        ("WEBVTT\r\nlanguage:fr\r\n\r\n", "fr"),
        ("WEBVTT\n\nLanguage: fr\n", None),
        ("WEBVTT\n00:01.000 --> 00:02.000\nLanguage: fr\n", None),
        ("WEBVTT\nLanguage: two words\n", None),
        ("WEBVTT", None),
    ],
)
def test_a_header_may_tell_the_language(file: str, language: str | None) -> None:
    assert webvtt.stated_language(file.encode()) == language


def test_what_is_said_is_text_without_markup_and_repetition() -> None:
    texts = [
        "<v Ann>Tea &amp; <b>milk</b>",
        "Tea &amp; milk\n<00:01.000><c> or  coffee</c>",
        "or coffee\n",
        "Tea",
    ]
    cues = [Cue(n, n + 1, text) for n, text in enumerate(texts)]
    assert webvtt.spoken_text(cues) == "Tea & milk\nor coffee\nTea"
    assert webvtt.spoken_text([]) == ""
