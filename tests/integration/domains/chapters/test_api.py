import httpx
import pytest

from tests.fixtures.application import BASE
from tests.fixtures.viewing import island
from tests.fixtures.waiting import until

pytestmark = pytest.mark.anyio

VTT = b"WEBVTT\n\n1\n00:00.000 --> 00:10.000\nIntroduction\n\n2\n00:10.000 --> 00:20.000\nMore\n"


async def upload(
    client: httpx.AsyncClient, video_id: str, language: str, data: bytes = VTT
) -> httpx.Response:
    files = {"file": ("chapters.vtt", data, "text/vtt")}
    return await client.post(f"/videos/{video_id}/chapters/{language}", files=files)


async def make_video(client: httpx.AsyncClient) -> str:
    return str((await client.post("/videos", json={"title": "t"})).json()["videoId"])


async def test_the_life_of_chapters(client: httpx.AsyncClient, viewer: httpx.AsyncClient) -> None:
    video_id = await make_video(client)
    path = f"/videos/{video_id}/chapters"
    made = await upload(client, video_id, "fr")
    assert made.status_code == 200, made.text
    assert made.json() == {
        "uri": f"{path}/fr",
        "src": f"{BASE}/vod/{video_id}/chapters/fr.vtt",
        "language": "fr",
    }
    await upload(client, video_id, "en")
    assert (await client.get(f"{path}/fr")).json() == made.json()
    listed = (await client.get(path)).json()
    assert [each["language"] for each in listed["data"]] == ["en", "fr"]
    assert listed["pagination"]["itemsTotal"] == 2
    shown = await viewer.get(made.json()["src"])
    assert (shown.content, shown.headers["content-type"]) == (VTT, "text/vtt")
    assert (await viewer.get(f"/vod/{video_id}/captions/fr.vtt")).status_code == 404

    assert (await client.delete(f"{path}/fr")).status_code == 204
    for gone in (await client.get(f"{path}/fr"), await client.delete(f"{path}/fr")):
        assert (gone.status_code, gone.json()["name"]) == (404, "language")

    async def named() -> bool:
        url = f"/vod/{video_id}/chapters/en.vtt"
        return bool(island(await viewer.get(f"/vod/{video_id}"))["chapters"] == {"en": url})

    await until(named)


async def test_they_have_no_default(client: httpx.AsyncClient) -> None:
    video_id = await make_video(client)
    await upload(client, video_id, "en")
    reply = await client.patch(f"/videos/{video_id}/chapters/en", json={"default": True})
    assert reply.status_code == 405


@pytest.mark.parametrize("language", ["f_r", "tlh"])
async def test_wrong_languages_are_refused(client: httpx.AsyncClient, language: str) -> None:
    video_id = await make_video(client)
    path = f"/videos/{video_id}/chapters/{language}"
    for reply in (
        await upload(client, video_id, language),
        await client.get(path),
        await client.delete(path),
    ):
        assert (reply.status_code, reply.json()["name"]) == (400, "language")


async def test_what_is_no_webvtt_is_refused(client: httpx.AsyncClient) -> None:
    reply = await upload(client, await make_video(client), "en", b"00:00 Introduction\n")
    assert (reply.status_code, reply.json()["name"]) == (400, "file")


async def test_those_of_others_are_unknown(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    video_id = await make_video(client)
    await upload(client, video_id, "en")
    path = f"/videos/{video_id}/chapters"
    for reply in (
        await stranger.get(path),
        await stranger.get(f"{path}/en"),
        await upload(stranger, video_id, "en"),
        await stranger.delete(f"{path}/en"),
    ):
        assert (reply.status_code, reply.json()["name"]) == (404, "videoId")
