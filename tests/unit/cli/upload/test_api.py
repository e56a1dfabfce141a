"""What answers mean, and how they are told."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from telecine import clock
from telecine.cli.upload.api import Api, NotNow, Refused, Video, sentence
from telecine.processes.exits import CannotGoOn, Exit
from tests.unit.cli.upload.fake_server import BASE

pytestmark = pytest.mark.anyio


def answering(answer: httpx.Response) -> Api:
    return Api(BASE, key="k", transport=httpx.MockTransport(lambda _: answer))


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"title": "The file is empty."}, "The file is empty."),
        (
            {"title": "It is too small.", "name": "file", "detail": "At least 5 bytes."},
            "It is too small: at least 5 bytes.",
        ),
        (
            {"title": "An attribute is invalid.", "name": "tags", "detail": "A list."},
            "An attribute is invalid (tags): a list.",
        ),
        ({}, "The server answered 400."),
        ([], "The server answered 400."),
    ],
)
def test_a_problem_is_one_sentence(document: Any, expected: str) -> None:
    assert sentence(httpx.Response(400, json=document)) == expected


def test_an_answer_that_is_no_problem_document_is_told_by_its_status() -> None:
    assert sentence(httpx.Response(413, text="<html>")) == "The server answered 413."


async def test_a_redirect_tells_where_the_server_is() -> None:
    moved = httpx.Response(301, headers={"location": "https://video.example.com/videos"})
    with pytest.raises(Refused, match=r"https://video.example.com/videos.*--server"):
        await answering(moved).ask("GET", "/videos")


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 507])
async def test_these_are_tried_again(status: int) -> None:
    with pytest.raises(NotNow) as caught:
        await answering(httpx.Response(status)).ask("GET", "/videos")
    assert caught.value.reached


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
async def test_these_are_not(status: int) -> None:
    problem = {"type": "https://x/y/the-slug", "title": "No."}
    with pytest.raises(Refused) as caught:
        await answering(httpx.Response(status, json=problem)).ask("GET", "/videos")
    assert (caught.value.code, caught.value.slug) == (status, "the-slug")


@pytest.mark.parametrize(
    ("value", "after_s"),
    [
        ("60", 60),
        (" 0 ", 0),
        ("Tue, 24 Nov 2026 10:00:30 GMT", 30),
        ("Tue, 24 Nov 2026 09:00:00 GMT", 0),
        ("soon", None),
        ("-1", None),
    ],
)
async def test_how_long_to_wait_is_understood(
    monkeypatch: pytest.MonkeyPatch, value: str, after_s: float | None
) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 11, 24, 10, tzinfo=UTC))
    with pytest.raises(NotNow) as caught:
        await answering(httpx.Response(507, headers={"retry-after": value})).ask("GET", "/videos")
    assert caught.value.after_s == after_s


async def test_no_answer_is_told_apart() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("All connection attempts failed")

    with pytest.raises(NotNow, match=f"no server at {BASE}: All connection") as caught:
        await Api(BASE, transport=httpx.MockTransport(refuse)).ask("GET", "/videos")
    assert not caught.value.reached


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"videoId": "vi1", "title": "a", "assets": None}),
    ],
)
async def test_another_kind_of_server_is_noticed(answer: httpx.Response) -> None:
    with pytest.raises(CannotGoOn, match="Is it a Telecine"):
        await answering(answer).video("vi1")


def test_an_address_that_is_none_is_wrong_usage() -> None:
    with pytest.raises(CannotGoOn, match="no URL") as caught:
        Api("http://host:no-port")
    assert caught.value.status is Exit.USAGE


async def test_the_key_goes_to_the_api_only() -> None:
    seen: list[str | None] = []

    def note(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization"))
        return httpx.Response(200, json={})

    api = Api(BASE, key="k", operator_key="o", transport=httpx.MockTransport(note))
    await api.status("vi1")
    await api.has_manifest("https://cdn.example.com/hls")
    await api.failure("vi1")
    assert seen == [httpx.BasicAuth("k", "")._auth_header, None, "Bearer o"]


async def test_reasons_are_for_who_has_the_operators_key() -> None:
    failed = httpx.Response(200, json={"failure": "no decoder"})
    transport = httpx.MockTransport(lambda _: failed)
    assert await Api(BASE, operator_key="o", transport=transport).failure("vi1") == "no decoder"
    assert await Api(BASE, key="k", transport=transport).failure("vi1") is None
    refused = httpx.MockTransport(lambda _: httpx.Response(401))
    assert await Api(BASE, operator_key="o", transport=refused).failure("vi1") is None


def test_a_video_without_a_download() -> None:
    assets = {"player": "p", "hls": "h"}
    found = Video.from_json({"videoId": "vi1", "title": "a", "assets": assets})
    assert found == Video("vi1", "a", "p", "h", None)
