from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import insert, text

from telecine.db.engine import Database
from telecine.domains.videos import queries
from telecine.domains.videos.listing import Listing
from telecine.domains.videos.models import Video
from telecine.http.pagination import Page
from tests.fixtures.application import ProjectKeys

pytestmark = pytest.mark.anyio


async def make(client: httpx.AsyncClient, title: str, **values: object) -> None:
    reply = await client.post("/videos", json={"title": title, **values})
    assert reply.status_code == 201, reply.text


@pytest.fixture
async def shelf(client: httpx.AsyncClient) -> httpx.AsyncClient:
    await make(client, "Video A", tags=["tag1", "tag2"], description="100% wool")
    await make(client, "Video B", tags=["tag1"], metadata=[{"key": "Author", "value": "John Doe"}])
    await make(
        client,
        "Étude C",
        metadata=[{"key": "Author", "value": "Jane"}, {"key": "Format", "value": "a_b"}],
    )
    return client


async def titles(client: httpx.AsyncClient, query: str) -> list[str]:
    reply = await client.get(f"/videos?{query}")
    assert reply.status_code == 200, reply.text
    envelope = reply.json()
    assert envelope["pagination"]["itemsTotal"] == len(envelope["data"])
    return [video["title"] for video in envelope["data"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Étude C", "Video B", "Video A"]),
        ("sortBy=title", ["Video A", "Video B", "Étude C"]),
        ("sortBy=title&sortOrder=desc", ["Étude C", "Video B", "Video A"]),
        ("sortBy=createdAt&sortOrder=asc", ["Video A", "Video B", "Étude C"]),
        ("sortBy=publishedAt", ["Étude C", "Video B", "Video A"]),
        ("sortBy=updatedAt&sortOrder=ASC", ["Video A", "Video B", "Étude C"]),
        ("title=Video+A", ["Video A"]),
        ("title=video", ["Video B", "Video A"]),
        ("title=A", ["Video A"]),
        ("title=%C3%89tude", ["Étude C"]),
        ("title=_", []),
        ("title=%25", []),
        ("title=%5C", []),
        ("title=", ["Étude C", "Video B", "Video A"]),
        ("description=0%25%20W", ["Video A"]),
        ("description=%25", ["Video A"]),
        ("tags[]=tag1", ["Video B", "Video A"]),
        ("tags%5B%5D=tag1&tags%5B%5D=tag2", ["Video A"]),
        ("tags[0]=tag1&tags[1]=tag2", ["Video A"]),
        ("tags=tag1&tags=tag2", ["Video A"]),
        ("tags=tag", []),
        ("metadata[Author]=John+Doe", ["Video B"]),
        ("metadata%5BAuthor%5D=Jane&metadata%5BFormat%5D=a_b", ["Étude C"]),
        ("metadata[Author]=Jane&metadata[Format]=acb", []),
        ('metadata=[{"key":"Author","value":"Jane"}]', ["Étude C"]),
        ("liveStreamId=li400mYKSgQ6xs7taUeSaEKr", []),
        ("page=1&unknown=2", ["Étude C", "Video B", "Video A"]),
    ],
)
async def test_filters_and_orders(
    shelf: httpx.AsyncClient, query: str, expected: list[str]
) -> None:
    assert await titles(shelf, query) == expected


async def test_the_recordings_of_one_live_stream(
    shelf: httpx.AsyncClient, stranger: httpx.AsyncClient, db: Database, project: ProjectKeys
) -> None:
    ours, others = "li400mYKSgQ6xs7taUeSaEKr", "li000mYKSgQ6xs7taUeSaEKr"
    async with db.transaction() as tx:
        for title, stream in (("Monday", ours), ("Tuesday", ours), ("Elsewhere", others)):
            values = {"public_id": f"vi{title}", "title": title, "live_stream_id": stream}
            await tx.execute(insert(Video).values(project_id=project.production_id, **values))
    assert sorted(await titles(shelf, f"liveStreamId={ours}")) == ["Monday", "Tuesday"]
    assert await titles(shelf, f"liveStreamId={ours}&title=tues") == ["Tuesday"]
    assert await titles(shelf, f"liveStreamId={others}") == ["Elsewhere"]
    assert await titles(shelf, f"liveStreamId={ours[:-1]}") == []
    assert await titles(stranger, f"liveStreamId={ours}") == []


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("sortBy=size", "sortBy"),
        ("sortOrder=up", "sortOrder"),
        ("title=a%00b", "title"),
        ("metadata[a%00]=b", "metadata[a]"),
        ("tags[]=%00", "tags[]"),
        ("metadata=[", "metadata"),
        ("metadata=" + "[" * 5000, "metadata"),
        ('metadata={"key":"\\ud800","value":"a"}', "metadata"),
        ('metadata={"key":"\\u0000","value":"a"}', "metadata"),
    ],
)
async def test_a_bad_filter_is_refused_by_name(
    client: httpx.AsyncClient, query: str, name: str
) -> None:
    reply = await client.get(f"/videos?{query}")
    assert reply.status_code == 400, reply.text
    assert reply.json()["name"] == name
    assert reply.json()["type"].endswith("/invalid-attribute")


@pytest.mark.parametrize("query", ["title=%FF%FE", "tags[]=%ED%A0%80", "metadata[%FF]=a"])
async def test_odd_utf8_finds_nothing(client: httpx.AsyncClient, query: str) -> None:
    assert await titles(client, query) == []


async def test_paging_out_of_range_is_told_as_documented(client: httpx.AsyncClient) -> None:
    reply = await client.get("/videos?currentPage=0&pageSize=101")
    title = "This parameter is out of the allowed range of values."
    page = {"title": title, "name": "page", "range": {"min": 1}}
    size = {"title": title, "name": "pageSize", "range": {"min": 1, "max": 100}}
    assert reply.status_code == 400
    assert reply.json() == {**page, "status": 400, "problems": [page, size]}


async def test_a_page_behind_the_end_is_empty(shelf: httpx.AsyncClient) -> None:
    for number in (2, 10**15, 10**17):
        envelope = (await shelf.get(f"/videos?currentPage={number}")).json()
        assert envelope["data"] == []
        assert envelope["pagination"]["itemsTotal"] == 3


async def test_the_envelope_of_a_middle_page(shelf: httpx.AsyncClient) -> None:
    reply = await shelf.get("/videos?title=e&currentPage=2&pageSize=1")
    assert reply.json()["pagination"] == {
        "itemsTotal": 3,
        "pagesTotal": 3,
        "pageSize": 1,
        "currentPage": 2,
        "currentPageItems": 1,
        "links": [
            {"rel": "self", "uri": "/videos?title=e&currentPage=2&pageSize=1"},
            {"rel": "first", "uri": "/videos?title=e&currentPage=1&pageSize=1"},
            {"rel": "previous", "uri": "/videos?title=e&currentPage=1&pageSize=1"},
            {"rel": "next", "uri": "/videos?title=e&currentPage=3&pageSize=1"},
            {"rel": "last", "uri": "/videos?title=e&currentPage=3&pageSize=1"},
        ],
    }


async def test_a_page_of_any_depth_is_the_same_slice(
    db: Database, project: ProjectKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {"project_id": project.production_id, "public_id": f"vi{i}", "title": f"{i % 7}"}
        for i in range(57)
    ]
    async with db.transaction() as tx:
        await tx.execute(insert(Video), rows)
    for listing in (Listing(sort_column="title_start", descending=False), Listing(title="3")):
        monkeypatch.setattr(queries, "DEEP_OFFSET", 10**6)
        everything = await all_pages(db, project, listing)
        monkeypatch.setattr(queries, "DEEP_OFFSET", 0)
        assert await all_pages(db, project, listing) == everything
        flat = [row for _, page in everything for row in page]
        assert len({row.public_id for row in flat}) == everything[0][0]


async def all_pages(
    db: Database, project: ProjectKeys, listing: Listing
) -> list[tuple[int, list[Any]]]:
    pages = [Page(number, 8) for number in range(1, 9)]
    return [await queries.page(db, project.production_id, listing, page) for page in pages]


@pytest.mark.parametrize(
    ("listing", "index"),
    [
        (Listing(), "ix_video_created_at"),
        (Listing(sort_column="title_start", descending=False), "ix_video_title_start"),
    ],
)
async def test_a_page_is_read_from_the_index_of_its_order(
    db: Database, project: ProjectKeys, listing: Listing, index: str
) -> None:
    rows = [
        {"project_id": project.production_id, "public_id": f"vi{i}", "title": f"{i}"}
        for i in range(300)
    ]
    async with db.transaction() as tx:
        await tx.execute(insert(Video), rows)
        await tx.execute(text("ANALYZE video"))
        await tx.execute(text("SET LOCAL enable_sort = off"))
        await tx.execute(text("SET LOCAL enable_seqscan = off"))
        statement = queries._rows(project.production_id, listing, 0, 25)
        compiled = statement.compile(
            dialect=(await tx.connection()).dialect, compile_kwargs={"literal_binds": True}
        )
        plan = await tx.scalars(text(f"EXPLAIN {compiled}".replace(":", "\\:")))
        assert any(index in line for line in plan.all())


async def test_titles_longer_than_an_index_entry(client: httpx.AsyncClient) -> None:
    """4000 bytes that do not compress: an entry of a B-tree holds 2704."""
    long = "".join(chr(0x10000 + n * 7919 % 0x8000) for n in range(1000))
    await make(client, long)
    await make(client, "Short")
    await make(client, long[:300])
    assert await titles(client, "sortBy=title") == ["Short", long, long[:300]]
    assert await titles(client, f"title={quote(long[500:600])}") == [long]
