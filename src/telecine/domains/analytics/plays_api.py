"""`/analytics/videos/plays` and its twin: the operations that came before `/data`."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from telecine import clock
from telecine.db.engine import Transaction
from telecine.domains.accounts.auth import Caller
from telecine.domains.analytics.countries import NAMES
from telecine.domains.analytics.data_schemas import PlayCountList
from telecine.domains.analytics.questions import Question, in_utc
from telecine.domains.analytics.reports import LIVE_STREAM, VIDEO
from telecine.domains.analytics.store.figures import Figures
from telecine.domains.live_streams import queries as live_streams
from telecine.domains.videos import queries as videos
from telecine.http import pagination, query
from telecine.http.caller import Identity
from telecine.http.query import Items
from telecine.http.schemas import problems
from telecine.http.services import AppServices, Services
from telecine.problems import Violation, attribute_required, bad_request, invalid_parameter

router = APIRouter(tags=["Analytics"])

_LONGEST = timedelta(days=30)
_HOURLY_UP_TO = timedelta(days=2)
_DIMENSIONS = {
    "country": "country",
    "deviceType": "device-type",
    "operatingSystem": "operating-system",
    "browser": "browser",
}

_DATE = {"type": "string", "format": "date"}


def _parameters(name: str) -> list[dict[str, object]]:
    dimensions = ["emittedAt", name, *_DIMENSIONS]
    described = (
        ("from", True, "The first day, 30 days ago at most.", _DATE),
        ("to", False, "The day behind the last one; by default today.", _DATE),
        (
            "dimension",
            True,
            "What plays are told apart by.",
            {"type": "string", "enum": dimensions},
        ),
        ("filter", False, f"`{name}:` and an id: plays of that alone.", {"type": "string"}),
    )
    given: list[dict[str, object]] = [
        {
            "name": each,
            "in": "query",
            "required": required,
            "description": description,
            "schema": schema,
        }
        for each, required, description, schema in described
    ]
    return [*given, *pagination.PARAMETERS]


def _day(items: Items, name: str, violations: list[Violation]) -> datetime | None:
    given = query.single(items, name)
    if given is None:
        return None
    try:
        day = datetime.strptime(given, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        violations.append(invalid_parameter(name, "This value must be a ISO-8601 date."))
        return None
    return day


def _days(items: Items, now: datetime, violations: list[Violation]) -> tuple[datetime, datetime]:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    begin, end = _day(items, "from", violations), _day(items, "to", violations) or today
    if query.single(items, "from") is None:
        violations.append(attribute_required("from"))
    if begin is None:
        return today, today
    if begin < today - _LONGEST:
        violations.append(invalid_parameter("from", "This value must be 30 days ago at most."))
    elif end < begin:
        violations.append(invalid_parameter("to", 'This value must not be before "from".'))
    return begin, end


def _shown(dimension: str, value: Any) -> str:  # noqa: ANN401  (a time, or a text)
    if dimension == "emittedAt":
        return in_utc(value)
    # As it was then: names in lower case.
    return NAMES.get(value, value).lower() if dimension == "country" else str(value)


Exists = Callable[[Transaction, UUID, str], Awaitable[object | None]]


async def _plays(
    request: Request,
    caller: Identity,
    services: Services,
    media: tuple[str, str, str],
    exists: Exists,
) -> JSONResponse:
    media_type, name, words = media
    items = request.query_params.multi_items()
    violations: list[Violation] = []
    now = clock.now()
    begin, end = _days(items, now, violations)
    dimension = query.single(items, "dimension")
    dimensions = ("emittedAt", name, *_DIMENSIONS)
    if dimension is None:
        violations.append(attribute_required("dimension"))
    elif dimension not in dimensions:
        detail = f"This value must be part of the following values: {','.join(dimensions)}"
        violations.append(invalid_parameter("dimension", detail))
    chosen = query.single(items, "filter")
    prefix, _, media_id = (chosen or "").partition(":")
    if chosen is not None and (prefix != name or not media_id):
        detail = f"This value must be of the following structure(s): {name}:{{{name}}}"
        violations.append(invalid_parameter("filter", detail))
    if violations or dimension is None:
        raise bad_request(violations)
    page = pagination.page_of(items)
    filters = {"mediaType": [media_type]}
    async with services.db.transaction() as tx:
        if chosen is not None:
            filters["mediaId"] = [media_id]
            known = "\0" not in media_id and await exists(tx, caller.project_id, media_id)
            if not known:
                detail = f"This value must refer to an existing {words}"
                raise bad_request([invalid_parameter("filter", detail)])
        over_time = dimension == "emittedAt"
        question = Question(
            begin=begin,
            end=end,
            filters=filters,
            interval="hour" if end - begin <= _HOURLY_UP_TO else "day",
            by_value=not over_time,
            descending=not over_time,
        )
        figures = Figures(
            caller.project_id,
            question,
            now,
            "" if over_time else _DIMENSIONS.get(dimension, "media-id"),
            series=over_time,
        )
        total, rows = await figures.page(tx, "play", page)
    data = [{"value": _shown(dimension, value), "plays": int(plays)} for value, plays in rows]
    return JSONResponse(pagination.envelope(data, total, page, request.url.path, items))


@router.get(
    "/analytics/videos/plays",
    operation_id="GET_analytics-videos-plays",
    summary="Get play events for videos",
    response_model=PlayCountList,
    responses=problems(400),
    openapi_extra={"parameters": _parameters("videoId")},
)
async def list_video_plays(request: Request, caller: Caller, services: AppServices) -> JSONResponse:
    """Count the plays of videos by one dimension."""
    media = (VIDEO, "videoId", "video")
    return await _plays(request, caller, services, media, videos.video)


@router.get(
    "/analytics/live-streams/plays",
    operation_id="GET_analytics-live-streams-plays",
    summary="Get play events for live streams",
    response_model=PlayCountList,
    responses=problems(400),
    openapi_extra={"parameters": _parameters("liveStreamId")},
)
async def list_live_stream_plays(
    request: Request, caller: Caller, services: AppServices
) -> JSONResponse:
    """Count the plays of live streams by one dimension."""
    media = (LIVE_STREAM, "liveStreamId", "live stream")
    return await _plays(request, caller, services, media, live_streams.live_stream)
