"""`/data`: numbers about what was watched, as one, by values, and over time."""

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from telecine import clock
from telecine.domains.accounts.auth import Caller
from telecine.domains.analytics.data_parameters import OF_BREAKDOWNS, OF_NUMBERS, OF_SERIES
from telecine.domains.analytics.data_schemas import DataBreakdown, DataNumber, DataSeries
from telecine.domains.analytics.questions import QUALITY, RENDITION, Kind, Question, ask, in_utc
from telecine.domains.analytics.store.figures import Figures
from telecine.domains.analytics.store.rollups import DIMENSIONS, LIVE_WITHIN
from telecine.http import pagination
from telecine.http.caller import Identity
from telecine.http.problems import unrecognized_url
from telecine.http.schemas import problems
from telecine.http.services import AppServices, Services

router = APIRouter(tags=["Analytics"])

NUMBERS = {
    ("play", "count"): "play",
    ("play", "sum"): "play",
    ("play", "rate"): "play-rate",
    ("play", "total"): "play-total",
    ("start", "count"): "start",
    ("end", "count"): "end",
    ("impression", "count"): "impression",
    ("impression-time", "average"): "impression-time-average",
    ("impression-time", "sum"): "impression-time-sum",
    ("watch-time", "average"): "watch-time-average",
    ("watch-time", "sum"): "watch-time-sum",
    ("ccv", "peak"): "ccv-peak",
    ("ccv", "live"): "ccv-live",
    ("ccv", "average"): "ccv-average",
    ("view", "count"): "view",
    **{(each, "average"): each for each in QUALITY},
}
"""What is measured for a metric and its aggregation."""

SERIES = (
    "play",
    "play-rate",
    "start",
    "end",
    "impression",
    "ccv-peak",
    "ccv-average",
    "view",
    *QUALITY,
)
BREAKDOWNS = (*SERIES, "play-total")


def _oldest(caller: Identity, services: Services, now: datetime) -> datetime:
    days = 1 if caller.environment == "sandbox" else services.analytics_days
    return now - timedelta(days=days)


def _context(metric: str, question: Question, **more: str) -> dict[str, Any]:
    """Return what was asked, in words that clients with enums know; others are left out."""
    shown = metric
    if metric == "view":
        shown = f"view-{question.view_s}"
    context: dict[str, Any] = {"metric": f"unique-{shown}" if question.unique else shown, **more}
    if metric == "play-total":
        return {**context, "metric": "play"}
    timeframe = {"from": in_utc(question.begin), "to": in_utc(question.end)}
    return {**context, "timeframe": timeframe}


@router.get(
    "/data/metrics/{metric}/{aggregation}",
    operation_id="GET_aggregated-metrics",
    summary="Retrieve aggregated metrics",
    response_model=DataNumber,
    responses=problems(400, 404),
    openapi_extra={"parameters": OF_NUMBERS},
)
async def get_number(
    metric: str, aggregation: str, request: Request, caller: Caller, services: AppServices
) -> JSONResponse:
    """Return one number about a time: how often, how long, how many."""
    measured = NUMBERS.get((metric, aggregation))
    if measured is None:
        raise unrecognized_url()
    now = clock.now()
    items = request.query_params.multi_items()
    asked = "play-total" if measured == "play-total" else metric
    question = ask(items, Kind.NUMBER, asked, now, _oldest(caller, services, now))
    if aggregation == "live":
        question = Question(
            begin=now - LIVE_WITHIN, end=now, filters=question.filters, unique=question.unique
        )
    async with services.db.transaction() as tx:
        number = await Figures(caller.project_id, question, now).number(tx, measured)
    known = {} if aggregation in ("peak", "live") else {"aggregation": aggregation}
    context = _context("play-total" if measured == "play-total" else metric, question, **known)
    return JSONResponse({"context": context, "data": number})


@router.get(
    "/data/buckets/{metric}/{breakdown}",
    operation_id="GET_metrics-breakdown",
    summary="Retrieve metrics in a breakdown of dimensions",
    response_model=DataBreakdown,
    responses=problems(400, 404),
    openapi_extra={"parameters": OF_BREAKDOWNS},
)
async def get_breakdown(
    metric: str, breakdown: str, request: Request, caller: Caller, services: AppServices
) -> JSONResponse:
    """Return a number for each media, country, device, ..."""
    if metric not in BREAKDOWNS or not breakdown:
        raise unrecognized_url()
    if breakdown not in DIMENSIONS and (breakdown, metric in QUALITY) != (
        RENDITION,
        True,
    ):
        raise unrecognized_url()
    if metric == "play-total" and breakdown != "media-id":
        raise unrecognized_url()
    now = clock.now()
    items = request.query_params.multi_items()
    question = ask(items, Kind.BREAKDOWN, metric, now, _oldest(caller, services, now))
    page = pagination.page_of(items)
    async with services.db.transaction() as tx:
        figures = Figures(caller.project_id, question, now, breakdown)
        total, rows = await figures.page(tx, metric, page)
    data = [{"dimensionValue": value, "metricValue": number} for value, number in rows]
    known = {} if breakdown == "referrer" else {"breakdown": breakdown}
    path = f"/data/buckets/{metric}/{breakdown}"
    answer = pagination.envelope(data, total, page, path, items)
    return JSONResponse({"context": _context(metric, question, **known), **answer})


@router.get(
    "/data/timeseries/{metric}",
    operation_id="GET_metrics-over-time",
    summary="Retrieve metrics over time",
    response_model=DataSeries,
    responses=problems(400, 404),
    openapi_extra={"parameters": OF_SERIES},
)
async def get_series(
    metric: str, request: Request, caller: Caller, services: AppServices
) -> JSONResponse:
    """Return a number for each minute, hour or day that has one."""
    if metric not in SERIES:
        raise unrecognized_url()
    now = clock.now()
    items = request.query_params.multi_items()
    question = ask(items, Kind.SERIES, metric, now, _oldest(caller, services, now))
    page = pagination.page_of(items)
    async with services.db.transaction() as tx:
        figures = Figures(caller.project_id, question, now, series=True)
        total, rows = await figures.page(tx, metric, page)
    data = [{"emittedAt": in_utc(moment), "metricValue": number} for moment, number in rows]
    answer = pagination.envelope(data, total, page, f"/data/timeseries/{metric}", items)
    context = _context(metric, question, interval=question.interval)
    return JSONResponse({"context": context, **answer})
