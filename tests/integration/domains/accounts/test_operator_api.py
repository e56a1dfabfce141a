from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import text

from telecine import __version__, clock, settings
from telecine.db.engine import Database
from telecine.db.release import RELEASE
from telecine.http.app import Api, create_app
from telecine.http.ratelimit import NO_LIMIT
from telecine.http.services import Services
from telecine.processes.application import ROUTERS, rate_limits
from tests.fixtures.application import OPERATOR_KEY, ProjectKeys, connect

pytestmark = pytest.mark.anyio


@pytest.fixture
def operator(anonymous: httpx.AsyncClient) -> httpx.AsyncClient:
    anonymous.headers["Authorization"] = f"Bearer {OPERATOR_KEY}"
    return anonymous


async def test_a_project_is_made_and_its_keys_see_their_own_environment(
    operator: httpx.AsyncClient, app: Api
) -> None:
    reply = await operator.post("/_/projects", json={"name": " Films "})
    assert reply.status_code == 201
    project = reply.json()
    assert list(project) == ["projectId", "name", "suspended", "createdAt"]
    assert (project["name"], project["suspended"]) == ("Films", False)
    path = f"/_/projects/{project['projectId']}"
    assert (await operator.get(path)).json() == project
    assert project in (await operator.get("/_/projects")).json()["data"]
    titles = []
    for environment in ("production", "sandbox"):
        reply = await operator.post(f"{path}/keys", json={"environment": environment})
        assert reply.status_code == 201
        async with connect(app, reply.json()["apiKey"]) as client:
            await client.post("/videos", json={"title": environment})
            listed = (await client.get("/videos")).json()["data"]
            titles.append([video["title"] for video in listed])
    assert titles == [["production"], ["sandbox"]]


async def test_a_key_is_shown_once_and_can_be_revoked(
    operator: httpx.AsyncClient, app: Api, project: ProjectKeys, services: Services
) -> None:
    path = f"/_/projects/{project.public_id}/keys"
    key = (await operator.post(path, json={"name": "CI"})).json()
    assert key["lastCharacters"] == key["apiKey"][-4:]
    listed = (await operator.get(path)).json()["data"]
    assert [item["name"] for item in listed] == ["test", "test", "CI"]
    assert all("apiKey" not in item for item in listed)
    async with connect(app, key["apiKey"]) as client:
        assert (await client.get("/videos")).status_code == 200
        reply = await operator.delete(f"{path}/{key['apiKeyId']}")
        assert (reply.status_code, reply.content) == (204, b"")
        assert "content-type" not in reply.headers
        services.identities.clear()
        assert (await client.get("/videos")).status_code == 401
    assert (await operator.get(path)).json()["data"][2]["revokedAt"] is not None


async def test_settings_are_merged_and_null_brings_back_the_default(
    operator: httpx.AsyncClient, project: ProjectKeys
) -> None:
    path = f"/_/projects/{project.public_id}/settings"
    names = ("hlsFormat", "rateLimits", "videoRestore", "storageQuotaBytes", "quotaMinutes",
             "maxWebhooks", "allowedReferrers", "allowEmptyReferrer", "allowedCountries",
             "allowUnknownCountry")  # fmt: skip
    empty = dict.fromkeys(names)
    assert (await operator.get(path)).json() == empty
    limits = {"reads": 5, "writes": None, "uploads": None}
    await operator.patch(path, json={"rateLimits": {"reads": 5}})
    reply = await operator.patch(path, json={"hlsFormat": "ts"})
    assert reply.json() == {**empty, "hlsFormat": "ts", "rateLimits": limits}
    reply = await operator.patch(path, json={"rateLimits": None, "hlsFormat": None})
    assert reply.json() == (await operator.get(path)).json() == empty
    reply = await operator.patch(path, json={"rateLimits": {"reads": -1}, "hlsFormat": "dash"})
    assert [item["name"] for item in reply.json()["problems"]] == [
        "hlsFormat",
        "rateLimits[reads]",
    ]


@pytest.mark.parametrize(
    ("limited", "refused", "other"),
    [("writes", "POST", "GET"), ("reads", "GET", "POST")],
)
async def test_a_limit_of_a_project_is_kept(
    operator: httpx.AsyncClient,
    project: ProjectKeys,
    app: Api,
    monkeypatch: pytest.MonkeyPatch,
    limited: str,
    refused: str,
    other: str,
) -> None:
    path = f"/_/projects/{project.public_id}/settings"
    await operator.patch(path, json={"rateLimits": {limited: 2}})
    start = clock.now().replace(second=15, microsecond=0)
    monkeypatch.setattr(clock, "now", lambda: start)
    done = {"GET": 200, "POST": 201}
    async with connect(app, project.production_key) as client:

        async def ask(method: str) -> httpx.Response:
            return await client.request(method, "/videos", json={"title": "A"})

        replies = [await ask(refused) for _ in range(4)]
        assert [reply.status_code for reply in replies] == [done[refused]] * 2 + [429] * 2
        left = [reply.headers["x-ratelimit-remaining"] for reply in replies]
        assert left == ["1", "0", "0", "0"]
        for reply in replies:
            assert reply.headers["x-ratelimit-limit"] == "2"
            assert reply.headers["x-ratelimit-retry-after"] == "45"
        assert replies[3].json() == {
            "type": "https://docs.api.video/reference/too-many-requests",
            "title": "Too many requests.",
            "status": 429,
        }
        assert (await ask(other)).status_code == done[other]
        monkeypatch.setattr(clock, "now", lambda: start + timedelta(minutes=1))
        assert (await ask(refused)).status_code == done[refused]


async def test_limits_of_the_whole_installation_are_kept_unless_a_project_has_its_own(
    project: ProjectKeys, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELECINE_RATE_LIMIT__SANDBOX__READS", "1")
    limited = replace(services, rate_limits=rate_limits(settings.load()))
    app = create_app(ROUTERS, [], limited)
    start = clock.now().replace(second=15, microsecond=0)
    monkeypatch.setattr(clock, "now", lambda: start)
    async with (
        connect(app, project.sandbox_key) as sandbox,
        connect(app, project.production_key) as production,
        connect(app) as operator,
    ):

        async def reads(client: httpx.AsyncClient) -> list[tuple[int, str]]:
            replies = [await client.get("/videos") for _ in range(3)]
            return [(reply.status_code, reply.headers["x-ratelimit-limit"]) for reply in replies]

        assert await reads(sandbox) == [(200, "1"), (429, "1"), (429, "1")]
        assert await reads(production) == [(200, f"{NO_LIMIT}")] * 3
        written = await sandbox.post("/videos", json={"title": "A"})
        assert written.status_code == 201

        operator.headers["Authorization"] = f"Bearer {OPERATOR_KEY}"
        path = f"/_/projects/{project.public_id}/settings"
        own = {"rateLimits": {"reads": 5}}
        assert (await operator.patch(path, json=own)).status_code == 200
        services.identities.clear()
        monkeypatch.setattr(clock, "now", lambda: start + timedelta(minutes=1))
        for client in (sandbox, production):
            assert await reads(client) == [(200, "5")] * 3


async def test_a_project_can_be_suspended_and_reopened(
    operator: httpx.AsyncClient, project: ProjectKeys, client: httpx.AsyncClient, services: Services
) -> None:
    path = f"/_/projects/{project.public_id}"
    for suspended, status in ((True, 403), (False, 200)):
        reply = await operator.patch(path, json={"suspended": suspended})
        assert reply.json()["suspended"] is suspended
        services.identities.clear()
        assert (await client.get("/videos")).status_code == status


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic b3BlcmF0b3Ita2V5Og=="])
async def test_only_the_operator_gets_in(
    anonymous: httpx.AsyncClient, app: Api, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    paths = [path for path in app.openapi()["paths"] if path.startswith("/_/")]
    assert len(paths) >= 6
    for path in paths:
        for method in app.openapi()["paths"][path]:
            url = path.replace("{", "").replace("}", "")
            reply = await anonymous.request(method, url, headers=headers)
            assert reply.status_code == 401, (method, path)


async def test_a_key_of_a_project_does_not_open_the_operators_part(
    client: httpx.AsyncClient,
) -> None:
    assert (await client.get("/_/projects")).status_code == 401


@pytest.mark.parametrize("project_id", ["unknown", "%00", "pr%FF"])
async def test_an_unknown_project_is_not_found(
    operator: httpx.AsyncClient, project_id: str
) -> None:
    path = f"/_/projects/{project_id}"
    for reply in (
        await operator.get(path),
        await operator.patch(path, json={"name": "a"}),
        await operator.get(path + "/keys"),
        await operator.post(path + "/keys", json={}),
        await operator.get(path + "/settings"),
        await operator.patch(path + "/settings", json={}),
    ):
        assert reply.status_code == 404
        assert reply.json()["name"] == "projectId"


async def test_the_system_tells_its_versions(operator: httpx.AsyncClient) -> None:
    system = (await operator.get("/_/system")).json()
    assert system["schemaRevision"] is not None
    assert system["databaseVersion"][:2].isdigit()
    assert system["schemaRelease"] == RELEASE
    assert system["version"] == __version__
    assert system["publicUrls"]["vod"] == "https://video.example.com"
    assert system["storageFreeBytes"] > 0
    assert system["diskReserveBytes"] == 0
    assert system["workers"] == []


BUSY_WORKER = """
WITH lane AS (INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id),
job AS (
    INSERT INTO procrastinate_jobs (queue_name, task_name, status, worker_id, args)
    SELECT 'probe', 'encodings.Probe', 'doing', id, '{"asset_id": "a"}' FROM lane)
INSERT INTO worker
SELECT gen_random_uuid(), 'encoder-1', 7, '1.2', '{"probe": 2}', ARRAY[id], 5, now(), now()
  FROM lane
"""


async def test_the_system_tells_who_works_on_what(
    operator: httpx.AsyncClient, db: Database
) -> None:
    async with db.transaction() as tx:
        await tx.execute(text(BUSY_WORKER))
    (worker,) = (await operator.get("/_/system")).json()["workers"]
    assert (worker["host"], worker["pid"], worker["version"]) == ("encoder-1", 7, "1.2")
    assert worker["alive"] is True
    assert worker["slots"] == {"probe": 2}
    assert worker["freeBytes"] == 5
    (job,) = worker["jobs"]
    assert job["name"] == "encodings.Probe"
    assert job["args"] == {"asset_id": "a"}
    assert job["attempt"] == 1
