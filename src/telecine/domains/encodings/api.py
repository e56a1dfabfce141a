"""`/_/videos/{videoId}/jobs`: what was done to a video, and why something failed."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from telecine.domains.accounts.auth import authenticate_operator
from telecine.domains.encodings import queries
from telecine.domains.encodings.schemas import RenditionDocument, StepDocument, WorkDocument
from telecine.http.body import JsonRoute
from telecine.http.openapi import OPERATOR_TAG
from telecine.http.schemas import problems
from telecine.http.services import AppServices
from telecine.problems import not_found

router = APIRouter(
    route_class=JsonRoute, tags=[OPERATOR_TAG], dependencies=[Depends(authenticate_operator)]
)


@router.get("/_/videos/{videoId}/jobs", responses=problems(404))
async def show_work(
    video_id: Annotated[str, Path(alias="videoId")], services: AppServices
) -> WorkDocument:
    """Show steps, reasons and progress of the work on a video's current asset."""
    async with services.db.transaction() as tx:
        asset = await queries.asset_of_public_id(tx, video_id)
        if asset is None:
            raise not_found("videoId")
        renditions = await queries.renditions_of(tx, asset.id)
        steps = await queries.steps_of(tx, asset.id)
    return WorkDocument(
        video_id=asset.public_id,
        epoch=asset.epoch,
        state=asset.state,
        failure=asset.failure,
        duration_s=asset.duration_s,
        playable_at=asset.playable_at,
        renditions=[
            RenditionDocument(
                name=row.name,
                state=row.state,
                passthrough=row.passthrough,
                pieces=row.pieces,
                pieces_stored=row.pieces_stored,
                peak_bps=row.peak_bps,
                average_bps=row.average_bps,
                failure=row.failure,
            )
            for row in renditions
        ],
        steps=[
            StepDocument(
                name=row.name,
                state=row.state,
                attempt=row.attempt,
                started_at=row.started_at,
                finished_at=row.finished_at,
                detail=row.detail,
            )
            for row in steps
        ],
    )
