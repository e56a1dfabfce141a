import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.domains.uploads.content_range import MAX_SOURCE_BYTES
from telecine.domains.uploads.tus import protocol as tus_protocol
from telecine.domains.uploads.tus import requests as tus_requests
from telecine.domains.uploads.tus.fields import (
    Final,
    Partial,
    canonical_metadata,
    checksum_of,
    concatenation_of,
    item_boolean,
    item_integer,
    metadata_of,
)
from telecine.domains.uploads.tus.protocol import TUS, Dialect, Progress
from telecine.problems import Problem

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CHUNK = "application/offset+octet-stream"
PARTIAL = "application/partial-upload"
OLDEST, NEWEST = Dialect(3), Dialect(8)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def refused(status: int, name: str) -> "pytest.RaisesExc[Problem]":
    return pytest.RaisesExc(
        Problem, check=lambda e: (e.status, e.violations[0].name) == (status, name)
    )


@pytest.mark.parametrize(
    ("method", "headers", "dialect"),
    [
        ("POST", {"tus-resumable": "1.0.0"}, TUS),
        ("HEAD", {"tus-resumable": " 1.0.0 "}, TUS),
        ("POST", {"upload-draft-interop-version": "3"}, OLDEST),
        ("PATCH", {"upload-draft-interop-version": "6;a=1"}, Dialect(6)),
        ("POST", {"upload-complete": "?1"}, NEWEST),
        ("HEAD", {}, NEWEST),
        ("DELETE", {}, NEWEST),
    ],
)
def test_what_a_client_speaks(method: str, headers: dict[str, str], dialect: Dialect) -> None:
    assert tus_protocol.dialect_of(method, headers) == dialect


@pytest.mark.parametrize("headers", [{}, {"tus-resumable": "0.2.2"}, {"tus-resumable": ""}])
def test_another_tus_is_told_which_one_is_spoken(headers: dict[str, str]) -> None:
    with pytest.raises(Problem) as raised:
        tus_protocol.dialect_of("PATCH", headers)
    assert raised.value.status == 412
    assert raised.value.headers["Tus-Version"] == "1.0.0"


@pytest.mark.parametrize("version", ["2", "9", "", "x", "-3", "3.0"])
def test_unknown_drafts_are_refused(version: str) -> None:
    with refused(400, "Upload-Draft-Interop-Version"):
        tus_protocol.dialect_of("POST", {"upload-draft-interop-version": version})


@pytest.mark.parametrize(
    ("method", "override", "meant"),
    [
        ("POST", "PATCH", "PATCH"),
        ("POST", "delete", "DELETE"),
        ("POST", "GET", "POST"),
        ("POST", "", "POST"),
        ("GET", "PATCH", "GET"),
        ("PATCH", "DELETE", "PATCH"),
    ],
)
def test_a_method_may_stand_in_a_header(method: str, override: str, meant: str) -> None:
    assert tus_protocol.method_of(method, {"x-http-method-override": override}) == meant


@pytest.mark.parametrize(
    ("value", "boolean"),
    [("?1", True), ("?0", False), (" ?1;a ", True), ("1", None), ("true", None), ("", None)],
)
def test_structured_booleans(value: str, boolean: bool | None) -> None:
    assert item_boolean(value) is boolean


@pytest.mark.parametrize(
    ("value", "integer"),
    [("0", 0), (" 12;x=1", 12), ("-1", None), ("1.5", None), ("", None), ("1" * 16, None)],
)
def test_structured_integers(value: str, integer: int | None) -> None:
    assert item_integer(value) == integer


@given(st.dictionaries(st.from_regex(r"[a-zA-Z_-]+", fullmatch=True), st.text(), max_size=5))
def test_metadata_survive(pairs: dict[str, str]) -> None:
    header = ",".join(f"{key} {encoded(value)}".strip() for key, value in pairs.items())
    assert metadata_of(header) == {key: v.replace("\0", "") for key, v in pairs.items()}
    assert canonical_metadata(header) == header


def test_metadata_may_be_written_loosely() -> None:
    header = f" filename  {encoded('für.mp4')} ,  is_confidential,"
    assert metadata_of(header) == {"filename": "für.mp4", "is_confidential": ""}
    assert canonical_metadata(header) == f"filename {encoded('für.mp4')},is_confidential"
    assert metadata_of("") == {}
    assert metadata_of("a YWI") == {"a": "ab"}  # without its padding
    assert metadata_of("a /w==") == {"a": "\ufffd"}


@pytest.mark.parametrize(
    "header",
    [
        "a !",
        "a YQ==,a YQ==",
        "a b c",
        "ä YQ==",
        "a\x7f YQ==",
        ",".join(f"k{i}" for i in range(101)),
    ],
)
def test_metadata_that_are_none(header: str) -> None:
    with refused(400, "Upload-Metadata"):
        metadata_of(header)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
def test_checksums_are_compared(algorithm: str) -> None:
    digest = hashlib.new(algorithm, b"data").digest()
    found = checksum_of(f"{algorithm} {base64.b64encode(digest).decode()}")
    assert found is not None
    hashed = found.fresh()
    hashed.update(b"da")
    hashed.update(b"ta")
    assert hashed.digest() == found.digest


@pytest.mark.parametrize("header", ["", "sha1", "sha1 !", "sha1 YQ==", "crc32 AAAA", "SHA1 YQ=="])
def test_checksums_that_are_none(header: str) -> None:
    with refused(400, "Upload-Checksum"):
        checksum_of(header)


def test_concatenations() -> None:
    assert concatenation_of(None) is None
    assert concatenation_of("partial") == Partial()
    found = concatenation_of("final;/tus/tuA  https://host/tus/tuB/?token=x")
    assert isinstance(found, Final)
    assert found.public_ids == ("tuA", "tuB")
    assert found.header == "final;/tus/tuA https://host/tus/tuB/?token=x"


@pytest.mark.parametrize(
    "header", ["", "final", "final;", "final; ", "partial;a", "other", "final;ä"]
)
def test_concatenations_that_are_none(header: str) -> None:
    with refused(400, "Upload-Concat"):
        concatenation_of(header)


@pytest.mark.parametrize("url", ["/tus/../", "http://[", "/tus/a.b", "/"])
def test_urls_of_no_upload(url: str) -> None:
    found = concatenation_of(f"final;{url}")
    assert isinstance(found, Final)
    with refused(400, "Upload-Concat"):
        _ = found.public_ids


def creation(dialect: Dialect, **headers: str) -> tus_requests.Creation:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return tus_requests.read_creation(dialect, given)


def test_a_creation_of_tus() -> None:
    found = creation(TUS, upload_length="100", upload_metadata="a YQ==")
    assert (found.length, found.metadata, found.append) == (100, {"a": "a"}, None)
    assert creation(TUS, upload_defer_length="1").length is None
    with_bytes = creation(TUS, upload_length="9", content_type=CHUNK, content_length="5")
    assert with_bytes.append is not None
    assert (with_bytes.append.offset, with_bytes.append.content_length) == (0, 5)
    streamed = creation(TUS, upload_length="9", content_type=CHUNK, transfer_encoding="chunked")
    assert streamed.append is not None
    assert streamed.append.content_length is None
    empty = creation(TUS, upload_length="9", content_type=CHUNK, content_length="0")
    assert empty.append is None


@pytest.mark.parametrize(
    ("headers", "status", "name"),
    [
        ({}, 400, "Upload-Length"),
        ({"upload_length": "1", "upload_defer_length": "1"}, 400, "Upload-Length"),
        ({"upload_length": "-1"}, 400, "Upload-Length"),
        ({"upload_length": "x"}, 400, "Upload-Length"),
        ({"upload_length": "1" * 16}, 400, "Upload-Length"),
        ({"upload_length": "²"}, 400, "Upload-Length"),
        ({"upload_defer_length": "2"}, 400, "Upload-Defer-Length"),
        ({"upload_length": str(MAX_SOURCE_BYTES + 1)}, 413, "Upload-Length"),
        ({"upload_length": "9", "content_length": "5"}, 415, "Content-Type"),
        ({"upload_concat": "final;/tus/a", "upload_length": "1"}, 400, "Upload-Length"),
    ],
)
def test_creations_of_tus_that_are_refused(headers: dict[str, str], status: int, name: str) -> None:
    with refused(status, name):
        creation(TUS, **headers)


def test_a_creation_of_a_draft() -> None:
    empty = creation(NEWEST, upload_complete="?0", upload_length="7", content_length="0")
    assert (empty.length, empty.append) == (7, None)
    whole = creation(NEWEST, upload_complete="?1", content_length="5")
    assert whole.length == 5
    assert whole.append is not None
    assert whole.append.ends
    streamed = creation(OLDEST, upload_incomplete="?0", transfer_encoding="chunked")
    assert streamed.length is None
    assert streamed.append is not None
    assert streamed.append.ends
    part = creation(OLDEST, upload_incomplete="?1", content_length="5")
    assert part.append is not None
    assert not part.append.ends
    # The wrong type of value: as if the header were not there.
    ignored = creation(NEWEST, upload_complete="?0", upload_length="seven")
    assert ignored.length is None


@pytest.mark.parametrize(
    ("headers", "status", "name"),
    [
        ({}, 400, "Upload-Complete"),
        ({"upload_complete": "1"}, 400, "Upload-Complete"),
        ({"upload_incomplete": "?0"}, 400, "Upload-Complete"),
        ({"upload_complete": "?0", "upload_offset": "0"}, 400, "Upload-Offset"),
        (
            {"upload_complete": "?1", "content_length": "5", "upload_length": "6"},
            400,
            "Upload-Length",
        ),
        ({"upload_complete": "?0", "upload_length": "9" * 15}, 413, "Upload-Length"),
        ({"upload_complete": "?1", "content_length": "9" * 15}, 413, "Upload-Length"),
    ],
)
def test_creations_of_drafts_that_are_refused(
    headers: dict[str, str], status: int, name: str
) -> None:
    with refused(status, name):
        creation(NEWEST, **headers)


def append(dialect: Dialect, **headers: str) -> tus_requests.Append:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return tus_requests.read_append(dialect, given)


def test_appends() -> None:
    found = append(TUS, content_type=f"{CHUNK.upper()}; a=b", upload_offset="5", content_length="7")
    assert (found.offset, found.content_length, found.total) == (5, 7, None)
    told = append(TUS, content_type=CHUNK, upload_offset="5", upload_length="12")
    assert (told.content_length, told.total) == (0, 12)
    last = append(
        NEWEST, content_type=PARTIAL, upload_offset="5", upload_complete="?1", content_length="7"
    )
    assert (last.total, last.ends) == (12, True)
    untyped = append(Dialect(5), upload_offset="0", upload_complete="?0", content_length="1")
    assert not untyped.ends


@pytest.mark.parametrize(
    ("dialect", "headers", "status", "name"),
    [
        (TUS, {"upload_offset": "0"}, 415, "Content-Type"),
        (TUS, {"content_type": "video/mp4", "upload_offset": "0"}, 415, "Content-Type"),
        (TUS, {"content_type": CHUNK}, 400, "Upload-Offset"),
        (TUS, {"content_type": CHUNK, "upload_offset": "-1"}, 400, "Upload-Offset"),
        (TUS, {"content_type": CHUNK, "upload_offset": "9" * 15}, 413, "Upload-Length"),
        (NEWEST, {"upload_offset": "0", "upload_complete": "?0"}, 415, "Content-Type"),
        (NEWEST, {"content_type": PARTIAL, "upload_complete": "?0"}, 400, "Upload-Offset"),
        (NEWEST, {"content_type": PARTIAL, "upload_offset": "0"}, 400, "Upload-Complete"),
    ],
)
def test_appends_that_are_refused(
    dialect: Dialect, headers: dict[str, str], status: int, name: str
) -> None:
    with refused(status, name):
        append(dialect, **headers)


@pytest.mark.parametrize("name", ["upload-offset", "upload-complete"])
def test_early_drafts_forbid_headers_of_questions(name: str) -> None:
    with pytest.raises(Problem):
        tus_requests.check_question(Dialect(6), {name: "?0"})
    tus_requests.check_question(Dialect(7), {name: "?0"})
    tus_requests.check_question(TUS, {name: "?0"})


def test_what_tus_is_told() -> None:
    progress = Progress(5, None, False, NOW + timedelta(days=7), "a YQ==", "partial")
    assert TUS.headers(progress, NOW) == {
        "Tus-Resumable": "1.0.0",
        "Upload-Offset": "5",
        "Upload-Expires": "Mon, 30 Nov 2026 12:00:00 GMT",
    }
    described = TUS.description(progress, NOW)
    assert described["Upload-Defer-Length"] == "1"
    assert described["Upload-Metadata"] == "a YQ=="
    assert described["Upload-Concat"] == "partial"
    assert described["Cache-Control"] == "no-store"
    known = TUS.description(Progress(5, 5, True), NOW)
    assert known["Upload-Length"] == "5"
    assert "Upload-Defer-Length" not in known
    assert "Upload-Expires" not in known


@pytest.mark.parametrize(
    ("interop", "state", "limit"),
    [
        (3, ("Upload-Incomplete", "?1"), None),
        (4, ("Upload-Complete", "?0"), None),
        (5, ("Upload-Complete", "?0"), None),
        (6, ("Upload-Complete", "?0"), f"max-size={MAX_SOURCE_BYTES}, expires=60"),
        (7, ("Upload-Complete", "?0"), f"max-size={MAX_SOURCE_BYTES}, max-age=60"),
        (8, ("Upload-Complete", "?0"), f"max-size={MAX_SOURCE_BYTES}, max-age=60"),
    ],
)
def test_what_drafts_are_told(interop: int, state: tuple[str, str], limit: str | None) -> None:
    progress = Progress(5, 9, False, NOW + timedelta(seconds=60), "a YQ==")
    found = Dialect(interop).description(progress, NOW)
    expected = dict([("Upload-Offset", "5"), ("Upload-Length", "9"), state])
    expected |= {"Cache-Control": "no-store"} | ({"Upload-Limit": limit} if limit else {})
    assert found == expected
