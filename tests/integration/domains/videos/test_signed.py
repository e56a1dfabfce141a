"""Signed URLs: what a customer's server makes by itself, and what they open."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from telecine import clock
from telecine.domains.videos.signatures import sign
from tests.fixtures.application import BASE, OPERATOR_KEY, ProjectKeys
from tests.fixtures.viewing import island
from tests.fixtures.waiting import until
from tests.integration.domains.videos.test_private import captions, make, opened

pytestmark = pytest.mark.anyio


@pytest.fixture
def operator(anonymous: httpx.AsyncClient) -> httpx.AsyncClient:
    anonymous.headers["Authorization"] = f"Bearer {OPERATOR_KEY}"
    return anonymous


class Signer:
    """A server of a customer, with a signing key."""

    def __init__(self, client: httpx.AsyncClient, project: str, made: dict[str, Any]) -> None:
        self._client = client
        self._path = f"/_/projects/{project}/signing-keys"
        self.key_id: str = made["signingKeyId"]
        self._secret: str = made["secret"]

    def token(self, media_id: str, address: str = "", host: str = "", minutes: int = 5) -> str:
        end = int((clock.now() + timedelta(minutes=minutes)).timestamp())
        return sign(self._secret, media_id, f"{self.key_id}~{end}~{address}~{host}")

    def url(
        self, video: dict[str, Any], address: str = "", host: str = "", minutes: int = 5
    ) -> str:
        """Return the signed URL of the captions of a video."""
        video_id = video["videoId"]
        token = self.token(video_id, address, host, minutes)
        return f"/vod/{video_id}/token/{token}/captions/en.vtt"

    async def delete(self) -> None:
        reply = await self._client.delete(f"{self._path}/{self.key_id}")
        assert reply.status_code == 204


async def make_signer(client: httpx.AsyncClient, project: str, **values: str) -> Signer:
    path = f"/_/projects/{project}/signing-keys"
    reply = await client.post(path, json={"name": "shop", **values})
    assert reply.status_code == 201, reply.text
    return Signer(client, project, reply.json())


@pytest.fixture
async def signer(operator: httpx.AsyncClient, project: ProjectKeys) -> Signer:
    return await make_signer(operator, project.public_id)


async def test_a_key_shows_its_secret_once(
    operator: httpx.AsyncClient, project: ProjectKeys
) -> None:
    path = f"/_/projects/{project.public_id}/signing-keys"
    made = (await operator.post(path, json={"name": "shop"})).json()
    assert len(made.pop("secret")) == 43
    assert (await operator.get(path)).json() == {"data": [made]}
    assert list(made) == ["signingKeyId", "name", "environment", "createdAt"]
    reply = await operator.post(path, json={}, headers={"Idempotency-Key": "x"})
    assert reply.status_code == 400
    for _ in range(9):
        assert (await operator.post(path, json={})).status_code == 201
    assert (await operator.post(path, json={})).status_code == 400
    sandbox = {"environment": "sandbox"}
    assert (await operator.post(path, json=sandbox)).status_code == 201
    for unknown in (f"{path}/sk0", "/_/projects/pr0/signing-keys"):
        method = "DELETE" if unknown.endswith("sk0") else "GET"
        assert (await operator.request(method, unknown)).status_code == 404


async def test_it_opens_again_and_again_until_it_expires(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, signer: Signer
) -> None:
    video = await make(client)
    for agent in ("mine", "yours", "mine"):
        assert await opened(viewer, signer.url(video), agent)
    assert not await opened(viewer, signer.url(video, minutes=-1))
    assert not await opened(viewer, signer.url({"videoId": "viNone"}))
    reply = await viewer.get(signer.url(video))
    assert "x-token-session" not in reply.headers


async def test_it_is_for_the_media_and_project_that_it_names(
    client: httpx.AsyncClient,
    stranger: httpx.AsyncClient,
    sandbox: httpx.AsyncClient,
    viewer: httpx.AsyncClient,
    operator: httpx.AsyncClient,
    project: ProjectKeys,
    signer: Signer,
) -> None:
    mine, other = await make(client), await make(client)
    url = signer.url(mine).replace(mine["videoId"], other["videoId"])
    assert not await opened(viewer, url)
    assert not await opened(viewer, signer.url(await make(stranger)))
    assert not await opened(viewer, signer.url(await make(sandbox)))
    for_sandbox = await make_signer(operator, project.public_id, environment="sandbox")
    assert await opened(viewer, for_sandbox.url(await make(sandbox)))
    assert not await opened(viewer, for_sandbox.url(mine))


async def test_a_deleted_key_opens_nothing_and_the_next_one_does(
    client: httpx.AsyncClient,
    viewer: httpx.AsyncClient,
    operator: httpx.AsyncClient,
    project: ProjectKeys,
    signer: Signer,
) -> None:
    video = await make(client)
    url = signer.url(video)
    assert await opened(viewer, url)
    after = await make_signer(operator, project.public_id)

    async def changed() -> bool:
        return await opened(viewer, after.url(video))

    await until(changed)
    assert await opened(viewer, url), "both keys hold while one is changed to the other"
    await signer.delete()

    async def ended() -> bool:
        return not await opened(viewer, url)

    await until(ended)
    assert await opened(viewer, after.url(video))


async def test_it_may_be_bound_to_a_viewer(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, signer: Signer
) -> None:
    video = await make(client)
    here = httpx.ASGITransport(viewer._transport.app, client=("203.0.113.9", 5))  # type: ignore[attr-defined]
    async with httpx.AsyncClient(transport=here, base_url=BASE) as bound:
        assert await opened(bound, signer.url(video, "203.0.113.9"))
        session = signer.url(video, "203.0.113.9").replace("captions/en.vtt", "session")
        assert not await opened(bound, session), "a session would be anybody's"
    assert not await opened(viewer, signer.url(video, "203.0.113.9"))


async def test_it_may_be_bound_to_a_site(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, signer: Signer
) -> None:
    video = await make(client)
    url = signer.url(video, "", "shop.example")
    page = f"/vod/{video['videoId']}?token={signer.token(video['videoId'], '', 'shop.example')}"
    for referrer, right in (
        ("https://shop.example/film?x=1", True),
        ("https://shop.example:8443/", True),
        (f"{BASE}/vod/{video['videoId']}", True),  # our page, which is judged itself
        ("https://www.shop.example/", False),
        ("https://[", False),
        ("", False),
    ):
        headers = {"Referer": referrer} if referrer else {}
        assert await opened(viewer, url, headers=headers) is right, referrer
        shown = await viewer.get(page, headers=headers)
        assert shown.status_code == (200 if right else 404), referrer
    # Our page fetches it for the site that embeds it, and tells which that is.
    for embedder, status in (("https://shop.example", 200), ("https://else.example", 404)):
        ours = {"Referer": f"{BASE}/vod/viFree", "Telecine-Embedder": embedder}
        assert (await viewer.get(page, headers=ours)).status_code == status, embedder


async def test_a_page_plays_by_it_without_a_session(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, signer: Signer
) -> None:
    video = await make(client)
    token = signer.token(video["videoId"])
    page = await viewer.get(f"/vod/{video['videoId']}?token={token}")
    media = island(page)
    assert media["session"] is None
    assert media["hls"] == f"/vod/{video['videoId']}/token/{token}/hls/manifest.m3u8"
    assert page.headers["cache-control"] == "private, no-store"
    assert await opened(viewer, media["captions"][0]["url"], "any browser")


async def test_a_session_ends_with_it(
    client: httpx.AsyncClient,
    viewer: httpx.AsyncClient,
    signer: Signer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    video = await make(client)
    url = signer.url(video, minutes=5).replace("captions/en.vtt", "session")
    session = (await viewer.get(url)).json()["session_token"]
    # A token that nobody used, beside which only the session counts.
    plain = f"{captions(video)}?avh={session}"
    assert await opened(viewer, plain)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(minutes=6))
    folder = plain.replace(video["assets"]["hls"].split("/token/")[1].split("/")[0], "0" * 36)
    assert not await opened(viewer, folder)
