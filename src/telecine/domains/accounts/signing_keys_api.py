"""`/_/projects/{projectId}/signing-keys`: keys of customers' servers for signed URLs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from telecine.domains.accounts import queries, signing_keys
from telecine.domains.accounts.auth import authenticate_operator
from telecine.domains.accounts.idempotency import never_again
from telecine.domains.accounts.models import SigningKey
from telecine.domains.accounts.schemas import (
    KeyCreation,
    NewSigningKeyDocument,
    SigningKeyDocument,
    SigningKeyList,
)
from telecine.http.body import JsonRoute
from telecine.http.openapi import OPERATOR_TAG
from telecine.http.schemas import PUBLIC_ID, problems
from telecine.http.services import AppServices
from telecine.problems import not_found

router = APIRouter(
    route_class=JsonRoute, tags=[OPERATOR_TAG], dependencies=[Depends(authenticate_operator)]
)

ProjectId = Annotated[str, Path(alias="projectId", pattern=PUBLIC_ID)]
SigningKeyId = Annotated[str, Path(alias="signingKeyId", pattern=PUBLIC_ID)]


def _document(row: SigningKey, environment: str) -> SigningKeyDocument:
    return SigningKeyDocument.model_validate(
        {
            "signing_key_id": row.public_id,
            "name": row.name,
            "environment": environment,
            "created_at": row.created_at,
        }
    )


@router.get("/_/projects/{projectId}/signing-keys", responses=problems(404))
async def list_signing_keys(project_id: ProjectId, services: AppServices) -> SigningKeyList:
    """List the signing keys of a project."""
    async with services.db.transaction() as tx:
        if await queries.project(tx, project_id) is None:
            raise not_found("projectId")
        rows = await signing_keys.listed(tx, project_id)
    return SigningKeyList(data=[_document(row, environment) for row, environment in rows])


@router.post(
    "/_/projects/{projectId}/signing-keys",
    status_code=201,
    responses=problems(400, 404),
    dependencies=[Depends(never_again)],
)
async def create_signing_key(
    project_id: ProjectId, payload: KeyCreation, services: AppServices
) -> NewSigningKeyDocument:
    """Create a signing key. Its secret is in this answer and nowhere else.

    For this reason `Idempotency-Key` is refused: delete a key whose secret was lost.
    """
    async with services.db.transaction() as tx:
        half = await queries.project(tx, project_id, payload.environment)
        if half is None:
            raise not_found("projectId")
        row, secret = await signing_keys.create(tx, half, payload.name, services.sealer)
    document = _document(row, payload.environment).model_dump()
    return NewSigningKeyDocument.model_validate({**document, "secret": secret})


@router.delete(
    "/_/projects/{projectId}/signing-keys/{signingKeyId}",
    status_code=204,
    response_class=Response,
    responses=problems(404),
)
async def delete_signing_key(
    project_id: ProjectId, signing_key_id: SigningKeyId, services: AppServices
) -> None:
    """Delete a signing key. URLs that it has signed end within a second."""
    async with services.db.transaction() as tx:
        await signing_keys.delete(tx, project_id, signing_key_id)
