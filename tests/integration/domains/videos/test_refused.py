"""Bodies of videos that are refused: by name, and without a trace."""

import httpx
import pytest

from telecine.domains.videos import languages
from tests.integration.domains.videos.test_api import make as make_video

pytestmark = pytest.mark.anyio

NO_TIMECODE = "This value must be a timecode (hh:mm:ss.ms, hh:mm:ss:frame or seconds)."
BEHIND = "This value must be behind the start of the clip."
NO_SOURCE = "This value must be an http(s) URL or the id of a video: "


@pytest.mark.parametrize(
    ("attribute", "value", "name", "detail"),
    [
        ("title", " ", "title", "This value should not be blank."),
        ("title", "x" * 1001, "title", "This value should not contain more than 1000 characters."),
        (
            "language",
            "f_r",
            "language",
            languages.MALFORMED,
        ),
        ("language", "tlh", "language", 'The "language" attribute is not valid.'),
        ("playerId", "plx", "playerId", "This value must refer to an existing player theme."),
        (
            "watermark",
            {"id": "watermark_1"},
            "watermark[id]",
            "This value must refer to an existing watermark.",
        ),
        ("clip", {"startTimecode": "soon"}, "clip[startTimecode]", NO_TIMECODE),
        ("clip", {"endTimecode": "00:60:00"}, "clip[endTimecode]", NO_TIMECODE),
        ("clip", {"startTimecode": "٣"}, "clip[startTimecode]", NO_TIMECODE),
        ("clip", {"startTimecode": "1\n"}, "clip[startTimecode]", NO_TIMECODE),
        ("clip", {"startTimecode": 1}, "clip[startTimecode]", "This value must be of type string."),
        ("clip", {"startTimecode": "5", "endTimecode": "5"}, "clip[endTimecode]", BEHIND),
        ("clip", {"startTimecode": "00:01:00", "endTimecode": "59"}, "clip[endTimecode]", BEHIND),
        ("clip", {"endTimecode": "0"}, "clip[endTimecode]", BEHIND),
        ("clip", "5", "clip", "This value must be of type object."),
        ("source", "", "source", f"{NO_SOURCE}not an http or https URL."),
        ("source", "film.mp4", "source", f"{NO_SOURCE}not an http or https URL."),
        ("source", "ftp://example.com/a", "source", f"{NO_SOURCE}not an http or https URL."),
        ("source", "file:///etc/passwd", "source", f"{NO_SOURCE}not an http or https URL."),
        ("source", "http://", "source", f"{NO_SOURCE}a URL without a host."),
        (
            "source",
            "https://u:p@example.com/",
            "source",
            f"{NO_SOURCE}a URL with a user name in it.",
        ),
        ("source", "https://a\u0000b/", "source", f"{NO_SOURCE}not a URL."),
        ("source", "li0000000000000000000000", "source", f"{NO_SOURCE}not an http or https URL."),
        ("source", "vi0", "source", "This value must refer to an existing video."),
        ("source", 5, "source", "This value must be of type string."),
        ("metadata", [{"key": "a"}], "metadata[0][value]", None),
        (
            "transcriptSummaryAttributes",
            ["poem"],
            "transcriptSummaryAttributes[0]",
            "This value must be part of the following values: abstract,takeaways",
        ),
    ],
)
async def test_a_bad_value_is_refused_by_name(
    client: httpx.AsyncClient, attribute: str, value: object, name: str, detail: str | None
) -> None:
    reply = await client.post("/videos", json={"title": "A", attribute: value})
    assert reply.status_code == 400
    assert reply.json()["name"] == name
    assert reply.json().get("detail") == detail
    assert (await client.get("/videos")).json()["data"] == []


NOT_AN_OBJECT = [
    b"",
    b"{",
    b"[]",
    b'"text"',
    b"null",
    b"\xff\xfe",
    b'{"title": NaN}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"title": ' + b"9" * 5000 + b"}",
    b'{"title": "\xc3\x28"}',
]
HOSTILE = [
    b'{"title": 1e999}',
    b'{"title": "\\u0000"}',
    b'{"title": "\\ud800"}',
    b'{"title": "a", "tags": ["\\u0000"]}',
    b'{"title": "a", "metadata": [{"key": "\\udfff", "value": "a"}]}',
    b'{"title": "a", "description": "\\u0000"}',
    b'{"title": "a", "publishedAt": "0001-01-01T00:00:00+14:00"}',
    b'{"title": "a", "publishedAt": "9999-12-31T23:59:59-14:00"}',
    b'{"title": "a", "publishedAt": 9e99}',
    b'{"title": "a", "language": "\\ud800"}',
    b'{"title": "a", "clip": {"startTimecode": "' + "٣".encode() + b'"}}',
]


@pytest.mark.parametrize("body", NOT_AN_OBJECT, ids=lambda body: repr(body[:30]))
async def test_a_body_that_is_no_object_is_an_invalid_payload(
    client: httpx.AsyncClient, body: bytes
) -> None:
    reply = await client.post("/videos", content=body)
    assert reply.status_code == 400
    assert reply.json() == {
        "type": "https://docs.api.video/reference/invalid-payload",
        "title": "The payload is invalid.",
        "status": 400,
    }
    assert (await client.get("/videos")).json()["data"] == []


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: repr(body[:30]))
async def test_hostile_bodies_are_the_callers_fault(client: httpx.AsyncClient, body: bytes) -> None:
    reply = await client.post("/videos", content=body)
    assert reply.status_code == 400, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert (await client.get("/videos")).json()["data"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"tags": "a"},
        {"metadata": [{"key": "a"}]},
        {"title": " "},
        {"public": 1},
        {"language": "tlh"},
        {"playerId": "plx"},
    ],
    ids=str,
)
async def test_a_refused_patch_changes_nothing(
    client: httpx.AsyncClient, wrong: dict[str, object]
) -> None:
    path = f"/videos/{(await make_video(client, tags=['t'], language='en'))['videoId']}"
    before = (await client.get(path)).json()
    right: dict[str, object] = {"title": "New", "description": "new", "tags": [], "language": "fr"}
    reply = await client.patch(path, json={**right, **wrong})
    assert reply.status_code == 400, reply.text
    assert (await client.patch(path, content=b'{"title": "New"')).status_code == 400
    assert (await client.get(path)).json() == before
