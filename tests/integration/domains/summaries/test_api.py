from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio


async def video(client: httpx.AsyncClient) -> str:
    return str((await client.post("/videos", json={"title": "t"})).json()["videoId"])


async def create(client: httpx.AsyncClient, video_id: str, **members: Any) -> dict[str, Any]:
    reply = await client.post("/summaries", json={"videoId": video_id, **members})
    assert reply.status_code == 201, reply.text
    return dict(reply.json())


async def listed(client: httpx.AsyncClient, query: str = "") -> list[str]:
    reply = await client.get(f"/summaries?{query}")
    assert reply.status_code == 200, reply.text
    body = reply.json()
    assert body["pagination"]["itemsTotal"] == len(body["data"])
    return [each["videoId"] for each in body["data"]]


async def test_words_are_written_by_the_customer(client: httpx.AsyncClient) -> None:
    video_id = await video(client)
    made = await create(client, video_id)
    assert made["summaryId"].startswith("summary_")
    assert (made["origin"], made["sourceStatus"]) == ("api", "missing")
    path = f"/summaries/{made['summaryId']}/source"
    assert (await client.get(path)).json() == {"abstract": "", "takeaways": []}
    words = {"abstract": "About it.", "takeaways": ["One", "Two"]}
    reply = await client.patch(path, json=words)
    assert (reply.status_code, reply.json()) == (201, words)
    reply = await client.patch(path, json={"takeaways": ["Three"]})
    assert reply.json() == {"abstract": "About it.", "takeaways": ["Three"]}
    assert (await client.get(path)).json() == reply.json()
    assert await listed(client, "sourceStatus=completed&origin=api") == [video_id]


async def test_one_that_is_to_be_made_by_itself_says_that_it_was_not(
    client: httpx.AsyncClient,
) -> None:
    made = await create(client, await video(client), origin="auto", attributes=["abstract"])
    assert (made["origin"], made["sourceStatus"]) == ("auto", "failed")
    path = f"/summaries/{made['summaryId']}/source"
    await client.patch(path, json={"abstract": "By hand."})
    (shown,) = (await client.get("/summaries")).json()["data"]
    assert (shown["origin"], shown["sourceStatus"]) == ("auto", "completed")


async def test_a_video_has_one(client: httpx.AsyncClient) -> None:
    video_id = await video(client)
    made = await create(client, video_id)
    reply = await client.post("/summaries", json={"videoId": video_id})
    assert reply.status_code == 409
    assert reply.json() == {
        "type": "https://docs.api.video/reference/summary-already-exists",
        "title": "A summary already exists or is being created on this video.",
        "status": 409,
        "detail": "You can delete the existing summary and generate a new one.",
        "name": "videoId",
    }
    path = f"/summaries/{made['summaryId']}"
    assert (await client.delete(path)).status_code == 204
    assert (await client.delete(path)).status_code == 404
    assert (await client.get(f"{path}/source")).json()["name"] == "summaryId"
    await create(client, video_id)


async def test_they_are_listed_as_asked(client: httpx.AsyncClient) -> None:
    first, second, third = [await video(client) for _ in range(3)]
    for video_id in (first, second):
        await create(client, video_id)
    await create(client, third, origin="auto")
    assert await listed(client) == [third, second, first]
    assert await listed(client, "sortOrder=asc") == [first, second, third]
    assert await listed(client, "sortBy=videoId&sortOrder=ASC") == sorted([first, second, third])
    assert await listed(client, f"videoId={second}") == [second]
    assert await listed(client, "origin=auto") == [third]
    assert await listed(client, "sourceStatus=missing&sortOrder=asc") == [first, second]
    reply = await client.get("/summaries?sortBy=title&origin=hand&sourceStatus=x&sortOrder=up")
    assert reply.status_code == 400
    names = {problem["name"] for problem in reply.json()["problems"]}
    assert names == {"sortBy", "origin", "sourceStatus", "sortOrder"}


async def test_they_go_with_their_video(client: httpx.AsyncClient) -> None:
    video_id = await video(client)
    made = await create(client, video_id)
    await client.delete(f"/videos/{video_id}")
    assert await listed(client) == []
    reply = await client.get(f"/summaries/{made['summaryId']}/source")
    assert reply.status_code == 404


async def test_what_is_wrong_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    video_id = await video(client)
    for members in ({"origin": "api"}, {"attributes": ["title"]}, {"videoId": 7}):
        reply = await client.post("/summaries", json={"videoId": video_id, **members})
        assert (reply.status_code, reply.json()["status"]) == (400, 400)
    assert (await client.post("/summaries", json={})).status_code == 400
    for caller, of in ((client, "viUnknown"), (stranger, video_id)):
        reply = await caller.post("/summaries", json={"videoId": of})
        assert (reply.status_code, reply.json()["name"]) == (404, "videoId")
    assert await listed(client) == []
    path = f"/summaries/{(await create(client, video_id))['summaryId']}/source"
    for words in ({"takeaways": ["a", "b", "c", "d"]}, {"abstract": 1}, {"takeaways": "a"}):
        assert (await client.patch(path, json=words)).status_code == 400
    for request in (stranger.get(path), stranger.patch(path, json={"abstract": "mine"})):
        assert (await request).status_code == 404
    assert (await client.get(path)).json() == {"abstract": "", "takeaways": []}
