from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import pytest

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.captions import languages, receiving
from telecine.domains.videos.orphans import Orphans
from telecine.http.services import Services
from telecine.storage.store import ObjectMissing
from tests.fixtures.application import BASE
from tests.fixtures.viewing import island
from tests.fixtures.waiting import until

pytestmark = pytest.mark.anyio

VTT = "\ufeffWEBVTT - Übersetzt\r\n\r\n00:01.000 --> 00:04.000\r\nhello\r\n".encode()
SRT = b"1\n00:00:01,000 --> 00:00:04,000\nhello & <b>bye</b>\n"
MALFORMED = (
    'The "language" attribute must contain only letters and dashes (for example "fr", "fr-BE").'
)
UNKNOWN = 'The "language" attribute is not valid.'


async def make_video(client: httpx.AsyncClient, **members: Any) -> str:
    reply = await client.post("/videos", json={"title": "t", **members})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["videoId"])


async def upload(
    client: httpx.AsyncClient, video_id: str, language: str, data: bytes = VTT
) -> httpx.Response:
    files = {"file": ("whatever", data, "application/octet-stream")}
    return await client.post(f"/videos/{video_id}/captions/{language}", files=files)


async def stored_files(services: Services) -> list[str]:
    return [entry.key async for entry in services.store.list("")]


def caption(video_id: str, language: str, name: str, *, default: bool = False) -> dict[str, Any]:
    return {
        "uri": f"/videos/{video_id}/captions/{language}",
        "src": f"{BASE}/vod/{video_id}/captions/{language}.vtt",
        "srclang": language,
        "languageName": name,
        "default": default,
    }


async def test_the_life_of_captions(client: httpx.AsyncClient, services: Services) -> None:
    video_id = await make_video(client)
    made = await upload(client, video_id, "fr")
    assert made.status_code == 200, made.text
    assert made.json() == caption(video_id, "fr", "Français")
    assert list(made.json()) == ["uri", "src", "srclang", "languageName", "default"]
    await upload(client, video_id, "en")
    path = f"/videos/{video_id}/captions"
    assert (await client.get(f"{path}/fr")).json() == made.json()
    listed = (await client.get(path)).json()
    assert [each["srclang"] for each in listed["data"]] == ["en", "fr"]
    assert listed["pagination"]["links"][0]["uri"] == f"{path}?currentPage=1&pageSize=25"
    second = (await client.get(f"{path}?pageSize=1&currentPage=2")).json()
    assert [each["srclang"] for each in second["data"]] == ["fr"]
    assert second["pagination"]["itemsTotal"] == 2

    reply = await client.delete(f"{path}/fr")
    assert (reply.status_code, reply.content) == (204, b"")
    for gone in (await client.get(f"{path}/fr"), await client.delete(f"{path}/fr")):
        assert (gone.status_code, gone.json()["name"]) == (404, "language")
    assert len(await stored_files(services)) == 1


async def test_one_default_at_most(client: httpx.AsyncClient) -> None:
    video_id = await make_video(client)
    for language in ("en", "fr", "de"):
        await upload(client, video_id, language)
    path = f"/videos/{video_id}/captions"

    async def defaults() -> list[str]:
        data = (await client.get(path)).json()["data"]
        return [each["srclang"] for each in data if each["default"]]

    assert await defaults() == []
    for language in ("en", "fr", "fr"):
        changed = await client.patch(f"{path}/{language}", json={"default": True})
        assert changed.json()["default"] is True
        assert await defaults() == [language]
    assert (await client.patch(f"{path}/fr", json={})).json()["default"] is True
    assert (await client.patch(f"{path}/en", json={"default": False})).status_code == 200
    assert await defaults() == ["fr"]
    assert (await upload(client, video_id, "fr", SRT)).json()["default"] is True
    assert (await client.patch(f"{path}/fr", json={"default": False})).status_code == 200
    assert await defaults() == []
    for body in ({"default": "yes"}, {"default": 1}):
        reply = await client.patch(f"{path}/en", json=body)
        assert (reply.status_code, reply.json()["name"]) == (400, "default")
    reply = await client.patch(f"{path}/es", json={"default": True})
    assert (reply.status_code, reply.json()["name"]) == (404, "language")


async def test_a_file_is_kept_byte_for_byte_and_replaced_at_once(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, services: Services
) -> None:
    video_id = await make_video(client)
    src = (await upload(client, video_id, "en")).json()["src"]
    shown = await viewer.get(src)
    assert (shown.status_code, shown.content) == (200, VTT)
    assert shown.headers["content-type"] == "text/vtt"
    assert shown.headers["access-control-allow-origin"] == "*"
    assert shown.headers["cache-control"] == "public, no-cache"
    known = {"If-None-Match": shown.headers["etag"]}
    assert (await viewer.get(src, headers=known)).status_code == 304
    assert (await viewer.head(src)).headers["content-length"] == str(len(VTT))

    other = VTT.replace(b"hello", b"other")
    await upload(client, video_id, "en", other)

    async def replaced() -> bool:
        with suppress(ObjectMissing):  # delivery has not heard of the change
            return (await viewer.get(src, headers=known)).content == other
        return False

    await until(replaced)
    assert len(await stored_files(services)) == 1
    await client.delete(f"/videos/{video_id}/captions/en")

    async def gone() -> bool:
        with suppress(ObjectMissing):
            return (await viewer.get(src)).status_code == 404
        return False

    await until(gone)
    assert await stored_files(services) == []


async def test_subrip_becomes_webvtt(client: httpx.AsyncClient, viewer: httpx.AsyncClient) -> None:
    video_id = await make_video(client)
    src = (await upload(client, video_id, "en", SRT)).json()["src"]
    shown = await viewer.get(src)
    assert shown.text == ("WEBVTT\n\n00:00:01.000 --> 00:00:04.000\nhello &amp; <b>bye</b>\n")


@pytest.mark.parametrize(
    ("data", "slug", "detail"),
    [
        (b"", "uploaded-file-empty", None),
        (b"{\\rtf1}", "uploaded-file-invalid-file", "neither WebVTT nor SubRip"),
        (b"\x89PNG\r\n\x1a\n", "uploaded-file-invalid-file", "neither WebVTT nor SubRip"),
        (VTT + b"\xff", "uploaded-file-invalid-file", "UTF-8"),
        (VTT.replace(b".", b","), "uploaded-file-invalid-file", "00:00:00.000"),
        (VTT + b" " * receiving.MAX_BYTES, "uploaded-file-too-large", None),
    ],
    ids=["empty", "rtf", "png", "latin-1", "broken times", "too large"],
)
async def test_what_no_player_reads_is_refused(
    client: httpx.AsyncClient, services: Services, data: bytes, slug: str, detail: str | None
) -> None:
    video_id = await make_video(client)
    reply = await upload(client, video_id, "en", data)
    body = reply.json()
    assert (reply.status_code, body["name"]) == (400, "file")
    assert body["type"].endswith("/" + slug)
    assert (detail or "") in body.get("detail", "")
    assert await stored_files(services) == []
    assert (await client.get(f"/videos/{video_id}/captions")).json()["data"] == []


async def test_a_file_in_which_only_some_cues_can_be_read_is_kept(
    client: httpx.AsyncClient,
) -> None:
    data = VTT + b"\r\nlater --> sometimes\r\nlost\r\n"
    assert (await upload(client, await make_video(client), "en", data)).status_code == 200


@pytest.mark.parametrize(
    ("language", "detail"),
    [("f_r", MALFORMED), ("e%20n", MALFORMED), ("é", MALFORMED), ("tlh", UNKNOWN), ("EN", UNKNOWN)],
)
async def test_wrong_languages_are_refused(
    client: httpx.AsyncClient, language: str, detail: str
) -> None:
    video_id = await make_video(client)
    path = f"/videos/{video_id}/captions/{language}"
    for reply in (
        await upload(client, video_id, language),
        await client.get(path),
        await client.patch(path, json={"default": True}),
        await client.delete(path),
    ):
        assert reply.status_code == 400
        body = reply.json()
        assert body["type"].endswith("/invalid-attribute")
        assert (body["name"], body["detail"]) == ("language", detail)


async def test_languages_have_their_own_names(client: httpx.AsyncClient) -> None:
    assert len(languages.names()) >= 560
    video_id = await make_video(client)
    for tag, name in (("sr-Cyrl", "српски (ћирилица)"), ("es-419", "español"), ("pt-BR", "Brasil")):
        made = (await upload(client, video_id, tag)).json()
        assert name.lower() in made["languageName"].lower()


async def test_old_python_clients_get_what_they_know(client: httpx.AsyncClient) -> None:
    video_id = await make_video(client)
    await upload(client, video_id, "en")
    old = {"AV-Origin-Client": "python:1.3.0"}
    path = f"/videos/{video_id}/captions"
    listed = (await client.get(path, headers=old)).json()["data"]
    assert list(listed[0]) == ["uri", "src", "srclang", "default"]
    assert (await client.get(f"{path}/en", headers=old)).json() == listed[0]


async def test_those_of_others_are_unknown(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    video_id = await make_video(client)
    await upload(client, video_id, "en")
    path = f"/videos/{video_id}/captions"
    for reply in (
        await stranger.get(path),
        await stranger.get(f"{path}/en"),
        await upload(stranger, video_id, "en"),
        await stranger.patch(f"{path}/en", json={"default": True}),
        await stranger.delete(f"{path}/en"),
    ):
        assert (reply.status_code, reply.json()["name"]) == (404, "videoId")


async def test_those_of_a_private_video_open_with_its_token(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    video_id = await make_video(client, public=False)
    made = (await upload(client, video_id, "en")).json()
    assert made["src"].startswith(f"{BASE}/vod/{video_id}/token/")
    assert (await viewer.get(f"/vod/{video_id}/captions/en.vtt")).status_code == 404
    shown = await viewer.get(made["src"])
    assert shown.content == VTT
    assert shown.headers["cache-control"] == "private, no-store"


async def test_pages_name_them(client: httpx.AsyncClient, viewer: httpx.AsyncClient) -> None:
    video_id = await make_video(client)
    page = f"/vod/{video_id}"
    assert island(await viewer.get(page))["captions"] == []
    await upload(client, video_id, "ar")
    await upload(client, video_id, "en")
    await client.patch(f"/videos/{video_id}/captions/ar", json={"default": True})

    async def named() -> bool:
        wanted = [
            {
                "language": language,
                "label": label,
                "url": f"/vod/{video_id}/captions/{language}.vtt",
                "default": language == "ar",
            }
            for language, label in (("ar", "العربية"), ("en", "English"))
        ]
        return bool(island(await viewer.get(page))["captions"] == wanted)

    await until(named)


async def test_only_files_without_a_row_are_swept(
    client: httpx.AsyncClient, services: Services, db: Database
) -> None:
    video_id = await make_video(client)
    await upload(client, video_id, "en")
    named = (await stored_files(services))[0]
    lost = named.replace(named[-16:-4], "0123456789ab")
    await services.store.put(lost, VTT)
    orphans = Orphans(db, services.store, timedelta(hours=1))
    for _ in range(2):
        await orphans.sweep(clock.now() + timedelta(hours=2))
    assert await stored_files(services) == [named]
