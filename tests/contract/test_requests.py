"""What clients send: bodies, query strings, pages, and what is wrong with them."""

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.contract.conftest import Tenant, accepted
from tests.fixtures.waiting import PATIENCE_S

REFERENCE = "https://docs.api.video/reference/"
REQUIRED = {"type": REFERENCE + "attribute-required", "title": "This attribute is required."}
NO_ARRAY = {"type": REFERENCE + "invalid-attribute", "title": "This attribute must be an array."}
INVALID = {"type": REFERENCE + "invalid-attribute", "title": "An attribute is invalid."}


def refused(reply: httpx.Response, status: int = 400) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    problem: dict[str, Any] = reply.json()
    return problem


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "text/plain", "x/y", ""])
def test_json_is_json_under_any_media_type(api: httpx.Client, media_type: str) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    video = accepted(api.post("/videos", content='{"title":"Zoë"}', headers=headers))
    assert video["title"] == "Zoë"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"text"', b"1", b'{"title": NaN}', b"\xff\xfe", b"[" * 5000],
)
def test_what_is_no_json_object_is_no_payload(api: httpx.Client, body: bytes) -> None:
    for reply in (api.post("/videos", content=body), api.post("/auth/api-key", content=body)):
        assert refused(reply) == {
            "type": REFERENCE + "invalid-payload",
            "title": "The payload is invalid.",
            "status": 400,
        }


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, {**REQUIRED, "name": "title"}),
        ({"title": None}, {**REQUIRED, "name": "title"}),
        ({"title": 1}, {**INVALID, "name": "title"}),
        ({"title": " "}, {**INVALID, "name": "title"}),
        ({"title": "t", "tags": "a"}, {**NO_ARRAY, "name": "tags"}),
        ({"title": "t", "tags": [1]}, {**INVALID, "name": "tags[0]"}),
        ({"title": "t", "metadata": {"k": "v"}}, {**NO_ARRAY, "name": "metadata"}),
        ({"title": "t", "metadata": [{"value": "v"}]}, {**REQUIRED, "name": "metadata[0][key]"}),
        ({"title": "t", "public": "yes"}, {**INVALID, "name": "public"}),
        ({"title": "t", "mp4Support": 1}, {**INVALID, "name": "mp4Support"}),
        ({"title": "t", "description": []}, {**INVALID, "name": "description"}),
        ({"title": "t", "playerId": "plNone"}, {**INVALID, "name": "playerId"}),
        ({"title": "t", "watermark": {"id": "no"}}, {**INVALID, "name": "watermark[id]"}),
        ({"title": "t\0"}, {**INVALID, "name": "title"}),
        (
            {"title": "t", "clip": {"startTimecode": "1:2"}},
            {**INVALID, "name": "clip[startTimecode]"},
        ),
        (
            {"title": "t", "publishedAt": "yesterday"},
            {
                "type": REFERENCE + "invalid-attribute",
                "title": "This attribute must be a ISO-8601 date.",
                "name": "publishedAt",
            },
        ),
    ],
)
def test_wrong_attributes(api: httpx.Client, body: dict[str, Any], problem: dict[str, Any]) -> None:
    told = refused(api.post("/videos", json=body))
    assert {name: told.get(name) for name in problem} == problem
    assert "problems" not in told, "one thing is wrong"


@pytest.mark.parametrize(
    ("language", "detail"),
    [
        (
            "fr_BE",
            (
                'The "language" attribute must contain only letters and dashes '
                '(for example "fr", "fr-BE").'
            ),
        ),
        ("xx", 'The "language" attribute is not valid.'),
    ],
)
def test_wrong_languages(api: httpx.Client, language: str, detail: str) -> None:
    problem = refused(api.post("/videos", json={"title": "t", "language": language}))
    assert (problem["name"], problem["detail"]) == ("language", detail)


def test_all_that_is_wrong_is_told_at_once(api: httpx.Client) -> None:
    problem = refused(api.post("/videos", json={"tags": 1, "public": "no"}))
    assert [one["name"] for one in problem["problems"]] == ["title", "public", "tags"]
    assert problem["problems"][0] == {**REQUIRED, "name": "title"}
    assert {**REQUIRED, "name": "title", "status": 400}.items() <= problem.items()


def test_unknown_attributes_and_parameters_are_ignored(api: httpx.Client) -> None:
    body = {"title": "t", "videoId": "viMine", "assets": {}, "unknown": [1]}
    video = accepted(api.post("/videos", json=body))
    assert video["videoId"] != "viMine"
    assert accepted(api.get("/videos?page=1&whatever=[]&pageSize=1"))["data"]


def test_a_patch_keeps_what_is_absent(api: httpx.Client) -> None:
    made = accepted(
        api.post("/videos", json={"title": "t", "tags": ["a"], "description": "d", "public": False})
    )
    path = f"/videos/{made['videoId']}"
    for change in ({}, {"tags": ["b"]}, {"videoId": "other", "clip": {}}):
        changed = accepted(api.patch(path, json=change))
        assert changed["tags"] == change.get("tags", changed["tags"])
    assert (changed["title"], changed["description"], changed["public"]) == ("t", "d", False)
    assert changed["tags"] == ["b"]
    assert changed["videoId"] == made["videoId"]


TAGGED = [
    "tags[]={a}&tags[]={b}",
    "tags%5B%5D={a}&tags%5B%5D={b}",
    "tags={a}&tags={b}",
    "tags[0]={a}&tags[1]={b}",
    "tags%5B1%5D={b}&tags%5B0%5D={a}",
    "metadata[k]={a}&metadata[other+key]={b}",
    "metadata%5Bk%5D={a}&metadata%5Bother%20key%5D={b}",
    'metadata=[{{"key":"k","value":"{a}"}},{{"key":"other key","value":"{b}"}}]',
    "title={a}",
    "description={b}",
]


@pytest.mark.parametrize("dialect", TAGGED)
def test_filters_in_every_dialect(api: httpx.Client, dialect: str) -> None:
    a, b = f"ä&{dialect[:12]}", f"1/2 + {dialect[:12]}"
    attributes = {
        "tags": [a, b, "c"],
        "metadata": [{"key": "k", "value": a}, {"key": "other key", "value": b}],
    }
    wanted = accepted(
        api.post("/videos", json={"title": f"x{a}x", "description": f"x{b}x", **attributes})
    )
    accepted(api.post("/videos", json={"title": "only half", "tags": [a]}))
    query = dialect.format(a=quote(a, safe=""), b=quote(b, safe=""))
    found = accepted(api.get(f"/videos?{query}"))
    assert [video["videoId"] for video in found["data"]] == [wanted["videoId"]]
    for video in found["data"]:
        api.delete(f"/videos/{video['videoId']}")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("currentPage=0", {"page": {"min": 1}}),
        ("currentPage=-1", {"page": {"min": 1}}),
        ("currentPage=one", {"page": {"min": 1}}),
        ("currentPage=1.5", {"page": {"min": 1}}),
        ("pageSize=0", {"pageSize": {"min": 1, "max": 100}}),
        ("pageSize=101", {"pageSize": {"min": 1, "max": 100}}),
        ("pageSize=99999999999999999999", {"pageSize": {"min": 1, "max": 100}}),
        ("currentPage=0&pageSize=0", {"page": {"min": 1}, "pageSize": {"min": 1, "max": 100}}),
    ],
)
def test_pages_out_of_range(api: httpx.Client, query: str, names: dict[str, Any]) -> None:
    problem = refused(api.get(f"/videos?{query}"))
    title = "This parameter is out of the allowed range of values."
    expected = [{"title": title, "name": name, "range": names[name]} for name in names]
    assert problem == {
        **expected[0],
        "status": 400,
        **({"problems": expected} if len(expected) > 1 else {}),
    }


def test_pages(api: httpx.Client) -> None:
    made = [accepted(api.post("/videos", json={"title": f"page + {n}"})) for n in range(5)]
    query = "title=page+%2B+&sortBy=title&sortOrder=asc"
    page = accepted(api.get(f"/videos?{query}&currentPage=2&pageSize=2"))
    assert [video["title"] for video in page["data"]] == ["page + 2", "page + 3"]
    paging = page["pagination"]
    links = {link["rel"]: link["uri"] for link in paging.pop("links")}
    assert paging == {
        "currentPage": 2,
        "pageSize": 2,
        "pagesTotal": 3,
        "itemsTotal": 5,
        "currentPageItems": 2,
    }
    assert list(links) == ["self", "first", "previous", "next", "last"]
    assert links["next"].startswith("/videos?title=page%20%2B%20&sortBy=title&sortOrder=asc&")
    last = accepted(api.get(links["last"]))
    assert [video["title"] for video in last["data"]] == ["page + 4"]
    beyond = accepted(api.get(f"/videos?{query}&currentPage=99&pageSize=100"))
    assert beyond["data"] == []
    assert beyond["pagination"]["itemsTotal"] == 5
    nothing = accepted(api.get("/videos?title=no+such+title"))
    assert nothing["pagination"]["pagesTotal"] == 1
    for video in made:
        api.delete(f"/videos/{video['videoId']}")


@pytest.mark.parametrize("name", ["sortBy", "sortOrder"])
def test_unknown_orders(api: httpx.Client, name: str) -> None:
    problem = refused(api.get(f"/videos?{name}=sideways"))
    assert {**INVALID, "name": name}.items() <= problem.items()


def test_tokens_for_keys(base_url: str, tenant: Tenant) -> None:
    issued = accepted(
        httpx.post(f"{base_url}/auth/api-key", json={"apiKey": tenant.key}, timeout=PATIENCE_S)
    )
    assert issued.keys() == {"token_type", "expires_in", "access_token", "refresh_token"}
    assert issued["token_type"] == "Bearer"
    assert issued["expires_in"] > 60
    # As the browser uploader asks: text/plain, cross-origin.
    body = json.dumps({"refreshToken": issued["refresh_token"]})
    headers = {"Content-Type": "text/plain", "Origin": "https://example.com"}
    reply = httpx.post(
        f"{base_url}/auth/refresh", content=body, headers=headers, timeout=PATIENCE_S
    )
    renewed = accepted(reply)
    assert reply.headers["access-control-allow-origin"] == "*"
    assert renewed["refresh_token"] != issued["refresh_token"]
    bearer = {"Authorization": f"Bearer {renewed['access_token']}"}
    assert httpx.get(f"{base_url}/videos", headers=bearer, timeout=PATIENCE_S).status_code == 200


@pytest.mark.parametrize(
    ("path", "name"), [("/auth/api-key", "apiKey"), ("/auth/refresh", "refreshToken")]
)
def test_wrong_keys_and_refresh_tokens(base_url: str, path: str, name: str) -> None:
    assert refused(httpx.post(base_url + path, json={name: "unknown"}, timeout=PATIENCE_S)) == {
        "type": REFERENCE + "authentication-invalid-user-credentials",
        "title": "The user credentials were incorrect.",
        "name": "",
        "status": 400,
    }
    missing = refused(httpx.post(base_url + path, json={}, timeout=PATIENCE_S))
    assert {**REQUIRED, "name": name}.items() <= missing.items()
