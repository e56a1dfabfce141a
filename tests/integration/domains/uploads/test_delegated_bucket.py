"""Files on an upload token where the store has whole objects only."""

from collections.abc import Mapping

import anyio
import pytest

from telecine.db.engine import Database
from telecine.domains.encodings.models import Asset
from telecine.http.services import PublicUrls, Services
from telecine.sealing import Sealer
from telecine.storage.open import open_store
from tests.fixtures.application import BASE
from tests.integration.domains.uploads.visiting import Visitor

pytestmark = [pytest.mark.anyio, pytest.mark.s3]


@pytest.fixture
def services(db: Database, s3_environment: Mapping[str, str], bucket_url: str) -> Services:
    return Services(
        db=db,
        store=open_store(bucket_url, s3_environment),
        urls=PublicUrls.at(BASE),
        token_key=b"k" * 32,
        sealer=Sealer(["s" * 32]),
    )


@pytest.mark.parametrize("named", ["before", "behind", "not at all"])
async def test_every_part_is_an_object(visitor: Visitor, named: str) -> None:
    video_id = await visitor.accept(b"a" * 99, "part 1/3")
    for number, data in ((3, b"c" * 9), (2, b"b" * 99)):
        known = None if named == "not at all" else video_id
        again = await visitor.accept(
            data, f"part {number}/3", video_id=known, before=named == "before"
        )
        assert again == video_id
    assert await visitor.content(video_id) == b"a" * 99 + b"b" * 99 + b"c" * 9
    assert await visitor.count(Asset) == 1
    objects = await visitor.objects()
    assert len(objects) == 3
    assert {key.split("/")[1] for key in objects} == {video_id}, "they go with the video"


async def test_what_is_refused_leaves_no_object(visitor: Visitor) -> None:
    more = {"video_id": "viAAAAAAAAAAAAAAAAAAAAAA"}
    await visitor.refuse(404, "resource-not-found", b"m" * 999, **more)
    await visitor.refuse(400, "uploaded-file-too-small", b"abc", "part 1/2")
    assert await visitor.objects() == []


async def test_first_parts_at_once_are_two_videos(visitor: Visitor) -> None:
    async with anyio.create_task_group() as group:
        for letter in b"xy":
            group.start_soon(visitor.accept, bytes([letter]) * 500, "part 1/2")
    assert len({reply.json()["videoId"] for reply in visitor.replies}) == 2
