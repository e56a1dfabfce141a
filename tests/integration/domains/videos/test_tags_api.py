import httpx
import pytest

from tests.fixtures.application import ProjectKeys

pytestmark = pytest.mark.anyio


async def make(client: httpx.AsyncClient, *tags: str) -> str:
    reply = await client.post("/videos", json={"title": "t", "tags": tags})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["videoId"])


async def tags(client: httpx.AsyncClient, query: str = "") -> list[tuple[str, int]]:
    reply = await client.get(f"/tags?{query}")
    assert reply.status_code == 200, reply.text
    body = reply.json()
    assert body["pagination"]["itemsTotal"] == len(body["data"])
    return [(tag["value"], tag["videoCount"]) for tag in body["data"]]


@pytest.fixture
async def shelf(client: httpx.AsyncClient) -> httpx.AsyncClient:
    await make(client, "maths", "École", "zoo")
    await make(client, "maths", "ecole", "maths")
    await make(client, "maths")
    await make(client)
    return client


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [("ecole", 1), ("École", 1), ("maths", 3), ("zoo", 1)]),
        ("sortBy=value&sortOrder=asc", [("ecole", 1), ("École", 1), ("maths", 3), ("zoo", 1)]),
        ("sortOrder=desc", [("zoo", 1), ("maths", 3), ("École", 1), ("ecole", 1)]),
        ("sortBy=videoCount", [("maths", 3), ("ecole", 1), ("École", 1), ("zoo", 1)]),
        (
            "sortBy=videoCount&sortOrder=asc",
            [("ecole", 1), ("École", 1), ("zoo", 1), ("maths", 3)],
        ),
        ("value=ECO", [("ecole", 1), ("École", 1)]),
        ("value=%C3%A9co", [("ecole", 1), ("École", 1)]),
        ("value=e%CC%81co", [("ecole", 1), ("École", 1)]),
        ("value=ath", [("maths", 3)]),
        ("value=%25", []),
        ("value=_", []),
        ("value=%5C", []),
    ],
)
async def test_tags_are_counted_found_and_sorted(
    shelf: httpx.AsyncClient, query: str, expected: list[tuple[str, int]]
) -> None:
    assert await tags(shelf, query) == expected


async def test_they_come_in_pages(shelf: httpx.AsyncClient) -> None:
    body = (await shelf.get("/tags?pageSize=10&currentPage=2")).json()
    assert body["data"] == []
    assert body["pagination"]["itemsTotal"] == 4
    body = (await shelf.get("/tags")).json()
    assert list(body["data"][0]) == ["value", "videoCount"]
    assert body["pagination"]["links"][0]["uri"].startswith("/tags?")


@pytest.mark.parametrize(
    ("query", "name"),
    [("sortBy=tag", "sortBy"), ("sortOrder=up", "sortOrder"), ("value=%00", "value")],
)
async def test_what_cannot_be_answered_is_refused(
    client: httpx.AsyncClient, query: str, name: str
) -> None:
    reply = await client.get(f"/tags?{query}")
    assert (reply.status_code, reply.json()["name"]) == (400, name)


async def test_those_of_deleted_and_of_others_videos_do_not_count(
    shelf: httpx.AsyncClient,
    stranger: httpx.AsyncClient,
    sandbox: httpx.AsyncClient,
    project: ProjectKeys,
) -> None:
    gone = await make(shelf, "maths", "gone")
    await make(stranger, "maths", "theirs")
    assert dict(await tags(shelf))["maths"] == 4
    assert (await shelf.delete(f"/videos/{gone}")).status_code == 204
    assert dict(await tags(shelf)) == {"ecole": 1, "École": 1, "maths": 3, "zoo": 1}
    assert await tags(stranger) == [("maths", 1), ("theirs", 1)]
    assert await tags(sandbox) == []
