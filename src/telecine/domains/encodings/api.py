"""`/_/videos/{videoId}/jobs`: what was done to a video and why something failed, and `retry`."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path

from telecine.db.engine import Transaction
from telecine.domains.accounts.auth import authenticate_operator
from telecine.domains.encodings import explanations, on_demand, operations, queries
from telecine.domains.encodings.jobs import attempts_of
from telecine.domains.encodings.models import Asset, Rendition, Step
from telecine.domains.encodings.schemas import (
    RenditionDocument,
    ReportDocument,
    ReportWish,
    StepDocument,
    WordsDocument,
    WorkDocument,
)
from telecine.domains.sources.arrivals import Arrival, arrival_of
from telecine.domains.sources.jobs import CopySource, DownloadSource
from telecine.domains.words.queries import summary_of, transcript_of
from telecine.http.body import JsonRoute
from telecine.http.openapi import OPERATOR_TAG
from telecine.http.schemas import problems
from telecine.http.services import AppServices, Services
from telecine.problems import not_found, problem

_APART = frozenset(("cpu_s", "log", "progress"))
_NEXT = {
    "retrying": "It is tried again in a few seconds.",
    "failed": "Nothing more happens by itself. The source is kept: "
    "GET /_/videos/{videoId}/source downloads it, POST /_/videos/{videoId}/retry tries again.",
}
_NEXT_ON_DEMAND = (
    "It is tried again when somebody asks for it after half a minute, and with the ladder."
)

# What no retry is for, which looks after qualities.
_ASK_AGAIN = {
    "thumbnail": "Nothing more happens by itself. PATCH /videos/{videoId}/thumbnail takes another "
    "moment, POST /videos/{videoId}/thumbnail a picture.",
    "storyboard": "Nothing more happens: viewers see no previews above the bar.",
    "report": "Nothing more happens by itself. POST /_/videos/{videoId}/report asks for it again.",
    "transcript": "Nothing more happens by itself. PATCH /videos/{videoId} with "
    '{"transcript": true} asks for it again.',
    "summary": "Nothing more happens by itself. Delete the summary and create another one.",
}

_NOTHING_FAILED = problem(
    409,
    "nothing-failed",
    "Nothing of this video failed.",
    "videoId",
    "Its work is done, or goes on.",
)

router = APIRouter(
    route_class=JsonRoute, tags=[OPERATOR_TAG], dependencies=[Depends(authenticate_operator)]
)


@router.get("/_/videos/{videoId}/jobs", responses=problems(404))
async def show_work(
    video_id: Annotated[str, Path(alias="videoId")], services: AppServices
) -> WorkDocument:
    """Show steps, reasons and progress of the work on a video's current asset.

    Before there is an asset, `epoch` is 0 and `state` that of the source.
    """
    return await _shown(services, video_id)


@router.post("/_/videos/{videoId}/retry", status_code=202, responses=problems(404, 409))
async def retry_work(
    video_id: Annotated[str, Path(alias="videoId")], services: AppServices
) -> WorkDocument:
    """Try again what failed of a video, with the source that is stored.

    A source that could not be read is probed again; of a video that plays, the qualities
    that failed are made. What is stored stays. Asking again while it is being probed
    changes nothing.

    Raises:
        Problem: 404, the video is unknown or has no complete source; 409, nothing failed.
    """
    async with services.db.transaction() as tx:
        asset = await queries.asset_of_public_id(tx, video_id)
        if asset is None or asset.failure == queries.DELETED:
            raise not_found("videoId")
        try:
            await operations.retry(tx, asset)
        except operations.NothingFailed as error:
            raise _NOTHING_FAILED from error
    return await _shown(services, video_id)


async def _shown(services: Services, video_id: str) -> WorkDocument:
    async with services.db.transaction() as tx:
        asset = await queries.asset_of_public_id(tx, video_id)
        arrival = await arrival_of(tx, video_id)
        renditions = [] if asset is None else await queries.renditions_of(tx, asset.id)
        steps = [] if asset is None else await queries.steps_of(tx, asset.id)
        owner = asset if arrival is None else arrival.source
        words = {} if owner is None else await _words(tx, owner.project_id, owner.video_id)
    first = [] if arrival is None else _arrival_steps(arrival)
    if asset is not None:
        document = _work(asset, renditions, [*first, *map(_step, steps)])
        return document.model_copy(update=words)
    if arrival is None:
        raise not_found("videoId")
    return WorkDocument(
        video_id=video_id,
        epoch=0,
        state="failed" if arrival.source.failure else arrival.source.state,
        failure=arrival.source.failure,
        reason=arrival.source.failure,
        remarks=[],
        duration_s=None,
        playable_at=None,
        renditions=[],
        steps=first,
        **words,
    )


async def _words(
    tx: Transaction, project_id: UUID, video_id: UUID | None
) -> dict[str, WordsDocument]:
    """Return what came of the words of a video, by member; nothing of what nobody asked for."""
    if video_id is None:  # it is being deleted
        return {}
    transcript = await transcript_of(tx, project_id, video_id)
    summary = await summary_of(tx, project_id, video_id)
    found = {
        "transcript": None if transcript is None else (transcript.state, transcript.failure),
        "summary": None if summary is None else (summary.source_status, summary.failure),
    }
    return {
        name: WordsDocument(state=told[0], failure=told[1], reason=_plain(told[1]))
        for name, told in found.items()
        if told is not None
    }


@router.get("/_/videos/{videoId}/report", responses=problems(404))
async def show_report(
    video_id: Annotated[str, Path(alias="videoId")], services: AppServices
) -> ReportDocument:
    """Show whether the finished renditions are what plan and playlists promise.

    404 until somebody has looked: when all of a video is stored, or when asked to.
    """
    async with services.db.transaction() as tx:
        asset = await queries.asset_of_public_id(tx, video_id)
    if asset is None or asset.report is None:
        raise not_found("videoId")
    return ReportDocument(video_id=asset.public_id, epoch=asset.epoch, **asset.report)


@router.post("/_/videos/{videoId}/report", status_code=202, responses=problems(400, 404))
async def ask_for_report(
    video_id: Annotated[str, Path(alias="videoId")], payload: ReportWish, services: AppServices
) -> None:
    """Have a new report made, by a job; `compared` decodes three segments of every rendition."""
    async with services.db.transaction() as tx:
        if not await operations.ask_for_report(tx, video_id, compared=payload.compared):
            raise not_found("videoId")


def _work(
    asset: Asset, renditions: Sequence[Rendition], steps: Sequence[StepDocument]
) -> WorkDocument:
    return WorkDocument(
        video_id=asset.public_id,
        epoch=asset.epoch,
        state=asset.state,
        failure=asset.failure,
        reason=_plain(asset.failure),
        remarks=[explanations.REMARKS[what] for what in asset.remarks],
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
                reason=_plain(row.failure),
            )
            for row in renditions
        ],
        steps=list(steps),
    )


def _plain(failure: str | None) -> str | None:
    return None if failure is None else explanations.plain(failure)


def _step(row: Step) -> StepDocument:
    attempts = attempts_of(row.name)
    detail = {key: value for key, value in row.detail.items() if key not in _APART}
    return StepDocument(
        name=row.name,
        state=row.state,
        attempt=row.attempt,
        attempts=attempts,
        progress=1.0 if row.state == "done" else row.detail.get("progress"),
        cpu_s=row.detail.get("cpu_s"),
        reason=_plain(row.detail.get("reason")),
        log=row.detail.get("log", []),
        next=_next(row),
        started_at=row.started_at,
        finished_at=row.finished_at,
        detail=detail,
    )


def _next(row: Step) -> str | None:
    if row.state == "failed" and row.name.startswith(on_demand.STEP):
        return _NEXT_ON_DEMAND
    asked = _ASK_AGAIN.get(row.name) if row.state == "failed" else None
    return asked or _NEXT.get(row.state)


def _arrival_steps(arrival: Arrival) -> list[StepDocument]:
    """Return the step in which we got a source ourselves; none of an upload."""
    source, fetch = arrival.source, arrival.fetch
    if fetch is None:
        return []
    detail: dict[str, Any] = {"stored_bytes": arrival.stored_bytes, "size_bytes": source.total}
    if source.origin_url is not None:
        detail["url"] = source.origin_url.partition("?")[0]  # the rest may be a signature
    else:
        detail["video"] = source.origin_video
    if fetch.reason is not None:
        detail["reason"] = fetch.reason
    return [
        StepDocument(
            name="download" if source.origin_url is not None else "copy",
            state=fetch.state,
            attempt=fetch.attempt,
            attempts=(DownloadSource if source.origin_url else CopySource).attempts,
            progress=arrival.stored_bytes / source.total if source.total else None,
            cpu_s=None,
            reason=fetch.reason,
            log=[],
            next=_NEXT.get(fetch.state),
            started_at=fetch.started_at or source.created_at,
            finished_at=fetch.finished_at,
            detail=detail,
        )
    ]
