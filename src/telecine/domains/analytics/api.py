"""`/analytics`: sessions of viewers and their events, as of the API of 2021."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse

from telecine.domains.accounts.auth import Caller
from telecine.domains.analytics import documents, periods
from telecine.domains.analytics.periods import Bounds
from telecine.domains.analytics.reports import LIVE_STREAM, VIDEO
from telecine.domains.analytics.schemas import SessionEventList, SessionList
from telecine.domains.analytics.store import sessions
from telecine.domains.live_streams import queries as live_streams
from telecine.domains.videos import queries as videos
from telecine.http import pagination, query
from telecine.http.clients import strict_python
from telecine.http.query import Items
from telecine.http.schemas import PUBLIC_ID, problems
from telecine.http.services import AppServices
from telecine.problems import bad_request, invalid_attribute, not_found

router = APIRouter(tags=["Raw statistics"])

VideoId = Annotated[str, Path(alias="videoId", pattern=PUBLIC_ID)]
LiveStreamId = Annotated[str, Path(alias="liveStreamId", pattern=PUBLIC_ID)]
SessionId = Annotated[str, Path(alias="sessionId", pattern=PUBLIC_ID)]

PERIOD = {
    "name": "period",
    "in": "query",
    "description": "When the sessions were loaded: a day (`2018-01-01`), week (`2018-W01`), month "
    "(`2018-01`), year (`2018`) or range of days (`2018-01-01/2018-01-15`), in UTC.",
    "schema": {"type": "string"},
}
METADATA = {
    "name": "metadata",
    "in": "query",
    "description": "Only sessions with these pairs (`metadata[key]=value`), which the page or the "
    "video has.",
    "style": "deepObject",
    "explode": True,
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
}


def _period(items: Items) -> Bounds:
    period = query.single(items, "period")
    try:
        return sessions.ALWAYS if period is None else periods.bounds(period)
    except ValueError:
        detail = "This value is not a day, week, month, year or range of days."
        raise bad_request([invalid_attribute("period", detail)]) from None


def _labels(items: Items) -> dict[str, str]:
    try:
        pairs = dict(query.deep_object(items, "metadata"))
    except ValueError:
        detail = "This value must be a list of pairs of key and value."
        raise bad_request([invalid_attribute("metadata", detail)]) from None
    if any("\0" in key + value for key, value in pairs.items()):
        detail = "This value must not contain NUL characters."
        raise bad_request([invalid_attribute("metadata", detail)])
    return pairs


@router.get(
    "/analytics/videos/{videoId}",
    operation_id="GET_analytics-videos-videoId",
    summary="List video player sessions",
    response_model=SessionList,
    responses=problems(400, 404),
    openapi_extra={"parameters": [PERIOD, METADATA, *pagination.PARAMETERS]},
)
async def list_video_sessions(
    video_id: VideoId, request: Request, caller: Caller, services: AppServices
) -> JSONResponse:
    """List who watched a video, newest first."""
    items = request.query_params.multi_items()
    within, labels, page = _period(items), _labels(items), pagination.page_of(items)
    async with services.db.transaction() as tx:
        video = await videos.video(tx, caller.project_id, video_id)
        if video is None:
            raise not_found("videoId")
        of_video = {(pair["key"], pair["value"]) for pair in video.metadata}
        asked = {key: value for key, value in labels.items() if (key, value) not in of_video}
        total, rows = await sessions.sessions(
            tx, caller.project_id, (VIDEO, video_id), within, asked, page
        )
    data = _sessions(request, rows)
    path = f"/analytics/videos/{video_id}"
    answer = pagination.envelope(data, total, page, path, items)
    return JSONResponse(_old(request, answer, "video", video_id=video_id, title=video.title))


@router.get(
    "/analytics/live-streams/{liveStreamId}",
    operation_id="GET_analytics-live-streams-liveStreamId",
    summary="List live stream player sessions",
    response_model=SessionList,
    responses=problems(400, 404),
    openapi_extra={"parameters": [PERIOD, *pagination.PARAMETERS]},
)
async def list_live_stream_sessions(
    live_stream_id: LiveStreamId, request: Request, caller: Caller, services: AppServices
) -> JSONResponse:
    """List who watched a live stream, newest first."""
    items = request.query_params.multi_items()
    within, page = _period(items), pagination.page_of(items)
    async with services.db.transaction() as tx:
        stream = await live_streams.live_stream(tx, caller.project_id, live_stream_id)
        if stream is None:
            raise not_found("liveStreamId")
        total, rows = await sessions.sessions(
            tx, caller.project_id, (LIVE_STREAM, live_stream_id), within, {}, page
        )
    path = f"/analytics/live-streams/{live_stream_id}"
    answer = pagination.envelope(_sessions(request, rows), total, page, path, items)
    return JSONResponse(
        _old(request, answer, "live", live_stream_id=live_stream_id, name=stream.name)
    )


@router.get(
    "/analytics/sessions/{sessionId}/events",
    operation_id="GET_analytics-sessions-sessionId-events",
    summary="List player session events",
    response_model=SessionEventList,
    responses=problems(400, 404),
    openapi_extra={"parameters": pagination.PARAMETERS},
)
async def list_session_events(
    session_id: SessionId, request: Request, caller: Caller, services: AppServices
) -> JSONResponse:
    """List what a viewer did, oldest first."""
    items = request.query_params.multi_items()
    page = pagination.page_of(items)
    async with services.db.transaction() as tx:
        found = await sessions.events(tx, caller.project_id, session_id, page)
    if found is None:
        raise not_found("sessionId")
    data = [documents.event(row) for row in found[1]]
    path = f"/analytics/sessions/{session_id}/events"
    return JSONResponse(pagination.envelope(data, found[0], page, path, items))


def _sessions(request: Request, rows: Any) -> list[dict[str, Any]]:  # noqa: ANN401  (of rows)
    shows_metadata = strict_python(request.headers) is None
    return [documents.session(row, metadata=shows_metadata) for row in rows]


def _old(request: Request, answer: dict[str, Any], media: str, **about: str) -> dict[str, Any]:
    """Add what the Node SDK wants that came before the specification, and tells no name."""
    if "user-agent" in request.headers:
        return answer
    data = [
        {
            **each,
            "referrer": {**each["referrer"], "search_term": each["referrer"]["searchTerm"]},
            "events": [],
        }
        for each in answer["data"]
    ]
    period = request.query_params.get("period", "")
    return {**answer, "data": data, media: about, "period": period}
