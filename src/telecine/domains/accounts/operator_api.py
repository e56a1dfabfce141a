"""`/_/`: projects, keys and settings, for the operator of the installation."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import text

from telecine import __version__
from telecine.db.release import SCHEMA_OF
from telecine.domains.accounts import operations, queries
from telecine.domains.accounts.auth import authenticate_operator
from telecine.domains.accounts.idempotency import OperatorOnce, never_again
from telecine.domains.accounts.models import ApiKey, Project
from telecine.domains.accounts.schemas import (
    KeyCreation,
    KeyDocument,
    KeyList,
    NewKeyDocument,
    ProjectCreation,
    ProjectDocument,
    ProjectList,
    ProjectUpdate,
    SettingsDocument,
    SystemDocument,
    WorkerDocument,
)
from telecine.http import pagination
from telecine.http.body import JsonRoute
from telecine.http.openapi import OPERATOR_TAG
from telecine.http.schemas import PUBLIC_ID, problems
from telecine.http.services import AppServices
from telecine.jobs import health
from telecine.problems import bad_request, invalid_attribute, not_found

router = APIRouter(
    route_class=JsonRoute, tags=[OPERATOR_TAG], dependencies=[Depends(authenticate_operator)]
)

ProjectId = Annotated[str, Path(alias="projectId", pattern=PUBLIC_ID)]
ApiKeyId = Annotated[str, Path(alias="apiKeyId", pattern=PUBLIC_ID)]


def _project(row: Project) -> ProjectDocument:
    return ProjectDocument(
        project_id=row.public_id,
        name=row.name,
        suspended=row.suspended_at is not None,
        created_at=row.created_at,
    )


def _key(row: ApiKey, environment: str) -> KeyDocument:
    return KeyDocument.model_validate(
        {
            "api_key_id": row.public_id,
            "name": row.name,
            "environment": environment,
            "last_characters": row.last_characters,
            "created_at": row.created_at,
            "revoked_at": row.revoked_at,
        }
    )


@router.get(
    "/_/projects",
    responses=problems(400),
    openapi_extra={"parameters": pagination.PARAMETERS},
)
async def list_projects(request: Request, services: AppServices) -> ProjectList:
    """List the projects, oldest first."""
    items = request.query_params.multi_items()
    page = pagination.page_of(items)
    async with services.db.transaction() as tx:
        total, rows = await queries.projects(tx, page.bounded_offset, page.size)
    documents = [_project(row) for row in rows]
    return ProjectList.model_validate(
        pagination.envelope(documents, total, page, "/_/projects", items)
    )


@router.post(
    "/_/projects",
    status_code=201,
    response_model=ProjectDocument,
    responses=problems(400, 409, 422),
)
async def create_project(payload: ProjectCreation, once: OperatorOnce) -> JSONResponse:
    """Create a project with both of its environments; it has no keys yet."""
    async with once.transaction() as tx:
        halves = await operations.create_project(tx, payload.name)
        document = _project(next(iter(halves.values())))
        return once.keep(JSONResponse(document.model_dump(mode="json", by_alias=True), 201))


@router.get("/_/projects/{projectId}", responses=problems(404))
async def get_project(project_id: ProjectId, services: AppServices) -> ProjectDocument:
    """Return a project."""
    return _project(await _found(services, project_id))


@router.patch("/_/projects/{projectId}", responses=problems(400, 404))
async def update_project(
    project_id: ProjectId, payload: ProjectUpdate, services: AppServices
) -> ProjectDocument:
    """Rename, suspend or reopen a project."""
    async with services.db.transaction() as tx:
        row = await operations.update_project(
            tx, project_id, name=payload.name, suspended=payload.suspended
        )
        return _project(row)


@router.get("/_/projects/{projectId}/keys", responses=problems(404))
async def list_keys(project_id: ProjectId, services: AppServices) -> KeyList:
    """List the API keys of a project, revoked ones too."""
    await _found(services, project_id)
    async with services.db.transaction() as tx:
        rows = await queries.keys(tx, project_id)
    return KeyList(data=[_key(row, environment) for row, environment in rows])


@router.post(
    "/_/projects/{projectId}/keys",
    status_code=201,
    responses=problems(400, 404),
    dependencies=[Depends(never_again)],
)
async def create_key(
    project_id: ProjectId, payload: KeyCreation, services: AppServices
) -> NewKeyDocument:
    """Create an API key. Its value is in this answer and nowhere else.

    For this reason `Idempotency-Key` is refused: revoke a key whose value was lost.
    """
    async with services.db.transaction() as tx:
        half = await queries.project(tx, project_id, payload.environment)
        if half is None:
            raise not_found("projectId")
        row, secret = await operations.create_key(tx, half.id, payload.name)
        await tx.refresh(row)
    document = _key(row, payload.environment).model_dump()
    return NewKeyDocument.model_validate({**document, "api_key": secret})


@router.delete(
    "/_/projects/{projectId}/keys/{apiKeyId}",
    status_code=204,
    response_class=Response,
    responses=problems(404),
)
async def revoke_key(project_id: ProjectId, api_key_id: ApiKeyId, services: AppServices) -> None:
    """Revoke an API key, and with it its tokens. It acts within a second."""
    async with services.db.transaction() as tx:
        await operations.revoke_key(tx, project_id, api_key_id)


@router.get("/_/projects/{projectId}/settings", responses=problems(404))
async def get_settings(project_id: ProjectId, services: AppServices) -> SettingsDocument:
    """Return the settings of a project."""
    row = await _found(services, project_id)
    return SettingsDocument.model_validate(row.settings)


@router.patch("/_/projects/{projectId}/settings", responses=problems(400, 404))
async def update_settings(
    project_id: ProjectId, payload: SettingsDocument, services: AppServices
) -> SettingsDocument:
    """Change settings of a project; null brings back the default."""
    if payload.allowed_countries is not None and not services.countries.available:
        detail = "Without TELECINE_GEOIP_DATABASE no country is known."
        raise bad_request([invalid_attribute("allowedCountries", detail)])
    async with services.db.transaction() as tx:
        settings = await operations.update_settings(
            tx, project_id, payload.model_dump(exclude_unset=True)
        )
    return SettingsDocument.model_validate(settings)


@router.get("/_/system", responses=problems())
async def system(services: AppServices) -> SystemDocument:
    """Return the state of the installation: versions, room, who works and on what."""
    async with services.db.transaction() as tx:
        database = await tx.scalar(text("SELECT current_setting('server_version')"))
        schema = (await tx.execute(text(SCHEMA_OF))).one_or_none()
        workers = await health.workers(tx)
    return SystemDocument(
        version=__version__,
        schema_revision=schema and schema[0],
        schema_release=schema and schema[1],
        database_version=str(database),
        storage_free_bytes=await services.store.free_bytes(),
        disk_reserve_bytes=services.disk_reserve_bytes,
        public_urls=services.urls.as_json(),
        workers=[WorkerDocument.model_validate(asdict(worker)) for worker in workers],
    )


async def _found(services: AppServices, public_id: str) -> Project:
    async with services.db.transaction() as tx:
        row = await queries.project(tx, public_id)
    if row is None:
        raise not_found("projectId")
    return row
