import base64
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import update

from telecine import clock, ids
from telecine.db.engine import Database
from telecine.domains.accounts import operations
from telecine.domains.accounts.models import Project, Token
from telecine.http.services import Services
from tests.fixtures.application import ProjectKeys

pytestmark = pytest.mark.anyio

WRONG = {
    "type": "https://docs.api.video/reference/authentication-invalid-user-credentials",
    "title": "The user credentials were incorrect.",
    "name": "",
    "status": 400,
}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def sign_in(client: httpx.AsyncClient, key: str) -> dict[str, str]:
    reply = await client.post("/auth/api-key", json={"apiKey": key})
    assert reply.status_code == 200
    tokens: dict[str, str] = reply.json()
    return tokens


async def test_a_key_is_exchanged_for_a_token_that_opens_the_api(
    anonymous: httpx.AsyncClient, project: ProjectKeys
) -> None:
    reply = await anonymous.post("/auth/api-key", json={"apiKey": project.production_key})
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    assert "x-ratelimit-limit" not in reply.headers
    tokens = reply.json()
    assert list(tokens) == ["token_type", "expires_in", "access_token", "refresh_token"]
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 3600)
    reply = await anonymous.get("/videos", headers=bearer(tokens["access_token"]))
    assert reply.status_code == 200
    # A refresh token is no access token.
    reply = await anonymous.get("/videos", headers=bearer(tokens["refresh_token"]))
    assert reply.status_code == 401


@pytest.mark.parametrize("name", ["api-key", "refresh"])
async def test_wrong_credentials_are_a_400(anonymous: httpx.AsyncClient, name: str) -> None:
    attribute = {"api-key": "apiKey", "refresh": "refreshToken"}[name]
    for wrong in ("", "wrong", "\0"):
        reply = await anonymous.post(f"/auth/{name}", json={attribute: wrong})
        assert reply.status_code == 400
        assert reply.json() == WRONG
    reply = await anonymous.post(f"/auth/{name}", json={})
    assert reply.json()["name"] == attribute
    assert reply.json()["title"] == "This attribute is required."
    reply = await anonymous.post(f"/auth/{name}", content=b"")
    assert reply.json()["title"] == "The payload is invalid."


async def test_a_refresh_token_is_replaced_but_works_for_another_minute(
    anonymous: httpx.AsyncClient, project: ProjectKeys, db: Database
) -> None:
    first = await sign_in(anonymous, project.production_key)
    old = {"refreshToken": first["refresh_token"]}
    for _ in range(2):
        reply = await anonymous.post(
            "/auth/refresh", json=old, headers={"content-type": "text/plain"}
        )
        assert reply.status_code == 200
        assert reply.json()["refresh_token"] != first["refresh_token"]
    async with db.transaction() as tx:
        digest = ids.digest(first["refresh_token"])
        stored = update(Token).where(Token.digest == digest).returning(Token.expires_at)
        ends = (await tx.scalars(stored.values(expires_at=clock.now()))).one()
    assert ends <= clock.now() + operations.REFRESH_GRACE
    assert (await anonymous.post("/auth/refresh", json=old)).json() == WRONG


async def test_the_end_of_a_refresh_token_is_a_minute_ahead(
    anonymous: httpx.AsyncClient, project: ProjectKeys, db: Database
) -> None:
    first = await sign_in(anonymous, project.production_key)
    await anonymous.post("/auth/refresh", json={"refreshToken": first["refresh_token"]})
    async with db.transaction() as tx:
        digest = ids.digest(first["refresh_token"])
        kept = update(Token).where(Token.digest == digest).returning(Token.expires_at)
        ends = (await tx.scalars(kept.values(kind="refresh"))).one()
    assert timedelta(seconds=30) < ends - clock.now() <= timedelta(seconds=60)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "slug", "title"),
    [
        (None, "missing-authorization-header", 'The "Authorization" header is missing.'),
        ("", "missing-authorization-header", 'The "Authorization" header is missing.'),
        ("abc", "invalid-authorization-header-value", None),
        ("Bearer", "invalid-authorization-header-value", None),
        ("Digest abc", "invalid-authorization-header-value", None),
        ("Basic !!!", "invalid-authorization-header-value", None),
        ("Basic /////w==", "invalid-authorization-header-value", None),
        (
            "Basic " + base64.b64encode(b"nocolon").decode(),
            "invalid-authorization-header-value",
            'The "Authorization" header value is invalid.',
        ),
        (basic("wrong:"), "invalid-api-key", "The API key is invalid."),
        (basic(":"), "invalid-api-key", None),
        (basic("a\0b:"), "invalid-api-key", None),
        ("Bearer abc", "invalid-access-token", "The access token is invalid or expired."),
    ],
)
async def test_bad_credentials_are_a_401_whatever_the_body(
    anonymous: httpx.AsyncClient, header: str | None, slug: str, title: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    for reply in (
        await anonymous.get("/videos", headers=headers),
        await anonymous.post("/videos", content=b"{", headers=headers),
        await anonymous.post("/videos", json={}, headers=headers),
        await anonymous.get("/videos/%00", headers=headers),
    ):
        assert reply.status_code == 401
        assert reply.headers["content-type"] == "application/problem+json"
        assert "www-authenticate" not in reply.headers
        assert "x-ratelimit-limit" in reply.headers
        assert reply.json()["type"].endswith("/authentication-" + slug)
        assert "name" not in reply.json()
        if title is not None:
            assert reply.json()["title"] == title


async def test_basic_and_bearer_are_read_in_any_case(
    anonymous: httpx.AsyncClient, project: ProjectKeys
) -> None:
    header = basic(project.production_key + ":ignored").replace("Basic", "bASIC")
    reply = await anonymous.get("/videos", headers={"Authorization": header})
    assert reply.status_code == 200


async def test_a_revoked_key_takes_its_tokens_along(
    anonymous: httpx.AsyncClient, project: ProjectKeys, db: Database, services: Services
) -> None:
    async with db.transaction() as tx:
        key, secret = await operations.create_key(tx, project.production_id, "second")
    tokens = await sign_in(anonymous, secret)
    async with db.transaction() as tx:
        await operations.revoke_key(tx, project.public_id, key.public_id)
    services.identities.clear()
    for header in (basic(secret + ":"), "Bearer " + tokens["access_token"]):
        reply = await anonymous.get("/videos", headers={"Authorization": header})
        assert reply.status_code == 401
    assert (await anonymous.post("/auth/api-key", json={"apiKey": secret})).json() == WRONG
    refresh = {"refreshToken": tokens["refresh_token"]}
    assert (await anonymous.post("/auth/refresh", json=refresh)).json() == WRONG


async def test_a_suspended_project_may_not_do_anything(
    client: httpx.AsyncClient, project: ProjectKeys, db: Database, services: Services
) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            update(Project)
            .where(Project.id == project.production_id)
            .values(suspended_at=clock.now())
        )
    services.identities.clear()
    reply = await client.get("/videos")
    assert reply.status_code == 403
    assert reply.json()["title"] == "Your account is suspended."


async def test_secrets_are_not_stored(
    anonymous: httpx.AsyncClient, project: ProjectKeys, db: Database
) -> None:
    tokens = await sign_in(anonymous, project.production_key)
    async with db.transaction() as tx:
        connection = await tx.connection()
        dump = ""
        for table in ("project", "api_key", "token"):
            dump += str((await connection.exec_driver_sql(f"SELECT * FROM {table}")).all())
    for secret in (project.production_key, tokens["access_token"], tokens["refresh_token"]):
        assert secret not in dump


async def test_expired_tokens_are_removed_with_the_next_sign_in(
    anonymous: httpx.AsyncClient, project: ProjectKeys, db: Database
) -> None:
    await sign_in(anonymous, project.production_key)
    async with db.transaction() as tx:
        await tx.execute(update(Token).values(expires_at=clock.now() - timedelta(days=1)))
    await sign_in(anonymous, project.production_key)
    async with db.transaction() as tx:
        connection = await tx.connection()
        count = (await connection.exec_driver_sql("SELECT count(*) FROM token")).scalar_one()
    assert count == 2
