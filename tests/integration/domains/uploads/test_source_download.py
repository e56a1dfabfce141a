"""What was uploaded can be had back, byte by byte, whether or not it is a video."""

import httpx
import pytest

from tests.fixtures.application import OPERATOR_KEY
from tests.integration.domains.uploads.sending import Uploads

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("small_parts")]

OPERATOR = {"Authorization": f"Bearer {OPERATOR_KEY}"}
PARTS = (b"no vi", b"deo a", b"t all")
ALL = b"".join(PARTS)


@pytest.fixture
async def stored(uploads: Uploads) -> str:
    """A file that came in parts, the last one first; returns the path of its download."""
    for number in (3, 1, 2):
        await uploads.accept(PARTS[number - 1], f"part {number}/3")
    return f"/_/videos/{uploads.video_id}/source"


async def test_all_of_it(stored: str, anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get(stored, headers=OPERATOR)
    assert answer.status_code == 200
    assert answer.content == ALL
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''clip.mp4"
    assert answer.headers["x-content-type-options"] == "nosniff"
    for asked in ({}, {"Range": "bytes=0-3"}, {"Range": "bytes=15-"}):  # ranges are of GET alone
        head = await anonymous.head(stored, headers=OPERATOR | asked)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(ALL))


@pytest.mark.parametrize(
    ("asked", "first", "end"),
    [("bytes=0-0", 0, 1), ("bytes=3-11", 3, 12), ("bytes=9-", 9, 15), ("bytes=-4", 11, 15)],
)
async def test_a_range_goes_over_the_seams(
    stored: str, anonymous: httpx.AsyncClient, asked: str, first: int, end: int
) -> None:
    answer = await anonymous.get(stored, headers={**OPERATOR, "Range": asked})
    assert answer.status_code == 206
    assert answer.content == ALL[first:end]
    assert answer.headers["content-range"] == f"bytes {first}-{end - 1}/{len(ALL)}"


async def test_a_range_behind_the_end(stored: str, anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get(stored, headers={**OPERATOR, "Range": "bytes=15-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */15"


async def test_only_the_operator_gets_it(
    stored: str, client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    for other in (client, anonymous):
        assert (await other.get(stored)).status_code in (401, 403)


async def test_what_has_not_come_is_not_found(
    uploads: Uploads, anonymous: httpx.AsyncClient
) -> None:
    await uploads.accept(PARTS[0], "part 1/3")
    for video_id in (uploads.video_id, "vi0000000000000000000000"):
        answer = await anonymous.get(f"/_/videos/{video_id}/source", headers=OPERATOR)
        assert answer.status_code == 404
