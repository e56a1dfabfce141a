import gzip
from pathlib import Path
from typing import Any

import pytest

from telecine import clock
from telecine.delivery import answers, packing
from telecine.delivery.answers import Answer
from telecine.delivery.packing import zstd
from telecine.delivery.parts import StoredRange
from telecine.storage.local import LocalStore

pytestmark = pytest.mark.anyio

TEXT = "#EXTM3U\n" + "#EXTINF:4.0,\nsegment.m4s\n" * 500


async def sent(
    folder: Path, answer: Answer, method: str = "GET", **headers: bytes
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Return what goes to a client: status, headers, body."""
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    scope = {
        "method": method,
        "headers": [(n.replace("_", "-").encode(), v) for n, v in headers.items()],
    }
    await answers.send_answer(scope, send, LocalStore(folder), answer)
    body = b"".join(message["body"] for message in messages[1:])
    assert not messages[-1].get("more_body")
    return messages[0]["status"], dict(messages[0]["headers"]), body


def asking(**headers: bytes) -> Any:
    return {"headers": [(n.replace("_", "-").encode(), v) for n, v in headers.items()]}


def playlist(cache: bytes = b"public, max-age=60", **headers: bytes) -> Answer:
    return answers.text(asking(**headers), b"application/vnd.apple.mpegurl", TEXT, cache)


@pytest.mark.parametrize("cache", [b"public, max-age=60", answers.NOW, answers.PRIVATE])
@pytest.mark.parametrize(
    ("accepted", "coding"), [(b"br, gzip", b"gzip"), (b"gzip, br, zstd", b"zstd")]
)
async def test_a_text_is_compressed_for_who_takes_that(
    tmp_path: Path, cache: bytes, accepted: bytes, coding: bytes
) -> None:
    status, headers, body = await sent(tmp_path, playlist(cache, accept_encoding=accepted))
    assert (status, headers[b"content-encoding"]) == (200, coding)
    assert int(headers[b"content-length"]) == len(body) < len(TEXT) // 10
    unpack = {b"gzip": gzip.decompress, b"zstd": zstd.decompress}[coding]
    assert unpack(body).decode() == TEXT
    plain_status, plain, body = await sent(tmp_path, playlist(cache))
    assert (plain_status, body.decode()) == (200, TEXT)
    assert b"content-encoding" not in plain
    assert headers[b"vary"] == plain[b"vary"] == b"accept-encoding"
    assert headers[b"etag"] != plain[b"etag"], "a validator is of these very bytes"


async def test_a_few_words_are_sent_as_they_are(tmp_path: Path) -> None:
    short = answers.text(asking(accept_encoding=b"gzip"), b"text/plain", "short", answers.NEVER)
    _, headers, body = await sent(tmp_path, short)
    assert body == b"short"
    assert b"content-encoding" not in headers


@pytest.mark.parametrize("accepted", [b"", b"gzip", b"zstd"])
async def test_who_has_the_playlist_gets_no_second_one(tmp_path: Path, accepted: bytes) -> None:
    _, headers, _ = await sent(tmp_path, playlist(accept_encoding=accepted))
    tag = headers[b"etag"]
    answer = playlist(accept_encoding=accepted, if_none_match=tag)
    status, again, body = await sent(tmp_path, answer, if_none_match=tag)
    assert again[b"vary"] == b"accept-encoding"
    assert (status, body) == (304, b"")
    assert again[b"etag"] == headers[b"etag"]
    assert again[b"access-control-allow-origin"] == b"*"
    for stale in (b'"other"', b""):
        assert (await sent(tmp_path, playlist(), if_none_match=stale))[0] == 200


async def test_who_has_it_lets_nothing_be_compressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = playlist(answers.PRIVATE, accept_encoding=b"gzip")
    _, headers, _ = await sent(tmp_path, answer)
    tag = headers[b"etag"]
    monkeypatch.setattr(packing, "_compress", None)
    answer = playlist(answers.PRIVATE, accept_encoding=b"gzip", if_none_match=tag)
    assert (await sent(tmp_path, answer, if_none_match=tag))[0] == 304


async def test_other_headers_are_another_answer(tmp_path: Path) -> None:
    tags = set()
    for policy in (b"a", b"b"):
        answer = answers.text(
            asking(), b"text/html", TEXT, answers.ASK_AGAIN, (b"content-security-policy", policy)
        )
        _, headers, _ = await sent(tmp_path, answer)
        assert headers[b"content-security-policy"] == policy
        tags.add(headers[b"etag"])
    assert len(tags) == 2


async def test_nginx_may_keep_what_may_change_until_the_second_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`no-cache` alone keeps it from storing anything, so that nothing is there to ask about."""
    monkeypatch.setattr(clock, "unix_ms", lambda: 1_790_000_000_999)
    answer = answers.text(asking(), b"text/html", TEXT, answers.ASK_AGAIN)
    _, headers, _ = await sent(tmp_path, answer)
    known = (await sent(tmp_path, answer, if_none_match=headers[b"etag"]))[1]
    for told in (headers, known):
        assert told[b"cache-control"] == b"public, no-cache"
        assert told[b"x-accel-expires"] == b"@1790000000"
    names = list(headers)
    assert names.index(b"x-accel-expires") < names.index(b"cache-control")
    for cache in (answers.PRIVATE, answers.NOW, answers.IMMUTABLE, b"private, no-cache"):
        _, headers, _ = await sent(tmp_path, playlist(cache))
        assert b"x-accel-expires" not in headers


@pytest.mark.parametrize("size", [1, 20])  # the larger one in a thread
async def test_a_stored_text_is_compressed_unless_a_part_is_wanted(
    tmp_path: Path, size: int
) -> None:
    text = TEXT.encode() * size
    (tmp_path / "object").write_bytes(text)

    async def asked(**headers: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
        parts = [StoredRange("object", 0, len(text))]
        store = LocalStore(tmp_path)
        answer = await answers.stored_text(
            asking(**headers), store, b"text/vtt", parts, answers.ASK_AGAIN, b'"%d"' % size
        )
        return await sent(tmp_path, answer, "GET", **headers)

    _, plain, body = await asked()
    assert body == text
    assert plain[b"accept-ranges"] == b"bytes"
    for _ in range(2):
        status, headers, body = await asked(accept_encoding=b"zstd")
        assert (status, headers[b"content-encoding"]) == (200, b"zstd")
        assert zstd.decompress(body) == text
        assert len({plain[b"etag"], headers[b"etag"]}) == 2
    known = await asked(if_none_match=headers[b"etag"], accept_encoding=b"zstd")
    assert known[0] == 304
    status, headers, body = await asked(accept_encoding=b"zstd", range=b"bytes=2-5")
    assert (status, body, headers[b"etag"]) == (206, text[2:6], plain[b"etag"])


async def test_head_sends_the_headers_of_get(tmp_path: Path) -> None:
    file = Answer(200, b"video/mp4", [b"0123456789"], etag=b'"a"', ranges=True)
    for answer in (playlist(), file):
        _, got, _ = await sent(tmp_path, answer)
        status, told, body = await sent(tmp_path, answer, "HEAD")
        assert (status, told, body) == (200, got, b"")


async def test_ranges_of_a_file(tmp_path: Path) -> None:
    file = Answer(200, b"video/mp4", [b"0123456789"], etag=b'"a"', ranges=True)
    status, headers, body = await sent(tmp_path, file, range=b"bytes=2-4")
    assert (status, body) == (206, b"234")
    assert headers[b"content-range"] == b"bytes 2-4/10"
    assert headers[b"content-type"] == b"video/mp4"
    status, headers, body = await sent(tmp_path, file, range=b"bytes=0-1,8-")
    assert status == 206
    assert headers[b"content-type"].startswith(b"multipart/byteranges; boundary=")
    assert int(headers[b"content-length"]) == len(body)
    assert b"content-range" not in headers
    status, headers, body = await sent(tmp_path, file, range=b"bytes=10-")
    assert (status, headers[b"content-range"], body) == (416, b"bytes */10", b"")


@pytest.mark.parametrize(
    ("title", "plain", "any_"),
    [
        ("My film", b"My film.mp4", b"My%20film.mp4"),
        ("Ü 火", b"_ _.mp4", b"%C3%9C%20%E7%81%AB.mp4"),
        ('a"b\\c/d;e', b"a_b_c_d;e.mp4", b"a_b_c_d%3Be.mp4"),
        ("a\r\nSet-Cookie: b", b"a__Set-Cookie_ b.mp4", b"a__Set-Cookie_%20b.mp4"),
        ("../../etc/passwd", b".._.._etc_passwd.mp4", b".._.._etc_passwd.mp4"),
        ("\u202egpj.exe", b"_gpj.exe.mp4", b"_gpj.exe.mp4"),
        ("\udcff", b"_.mp4", b"_.mp4"),
        ("  ", b"video.mp4", b"video.mp4"),
        ("x" * 500, b"x" * 120 + b".mp4", b"x" * 120 + b".mp4"),
    ],
)
def test_a_download_has_the_name_of_its_video(title: str, plain: bytes, any_: bytes) -> None:
    """RFC 6266: the plain name for old clients, that of RFC 8187 for all others."""
    assert answers.attachment(title, "mp4") == (
        b"attachment; filename=\"%s\"; filename*=UTF-8''%s" % (plain, any_)
    )
