import gzip
from pathlib import Path
from typing import Any

import pytest

from telecine.delivery import answers
from telecine.delivery.answers import Answer
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


def playlist(**headers: bytes) -> Answer:
    scope = {"headers": [(n.replace("_", "-").encode(), v) for n, v in headers.items()]}
    return answers.playlist(scope, b"application/vnd.apple.mpegurl", TEXT, b"public, max-age=60")


async def test_a_playlist_is_compressed_for_who_takes_that(tmp_path: Path) -> None:
    status, headers, body = await sent(tmp_path, playlist(accept_encoding=b"br, gzip"))
    assert (status, headers[b"content-encoding"]) == (200, b"gzip")
    assert int(headers[b"content-length"]) == len(body) < len(TEXT) // 10
    assert gzip.decompress(body).decode() == TEXT
    plain_status, plain, body = await sent(tmp_path, playlist())
    assert (plain_status, body.decode()) == (200, TEXT)
    assert b"content-encoding" not in plain
    assert headers[b"vary"] == plain[b"vary"] == b"accept-encoding"
    assert headers[b"etag"] != plain[b"etag"], "a validator is of these very bytes"


async def test_who_has_the_playlist_gets_no_second_one(tmp_path: Path) -> None:
    _, headers, _ = await sent(tmp_path, playlist())
    status, again, body = await sent(tmp_path, playlist(), if_none_match=headers[b"etag"])
    assert (status, body) == (304, b"")
    assert again[b"etag"] == headers[b"etag"]
    assert again[b"access-control-allow-origin"] == b"*"
    for stale in (b'"other"', b""):
        assert (await sent(tmp_path, playlist(), if_none_match=stale))[0] == 200


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
