"""`/_/live-streams` and `/_/ingest`: how events are doing and where they come from."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

from fastapi import APIRouter, Depends, Path

from telecine.domains.accounts.auth import authenticate_operator
from telecine.domains.live_streams import queries, restreams
from telecine.domains.live_streams.schemas import (
    Health,
    IngestAddress,
    IngestAddressList,
    LiveStreamHealth,
    RestreamStatus,
    RestreamStatusList,
)
from telecine.http.body import JsonRoute
from telecine.http.openapi import OPERATOR_TAG
from telecine.http.schemas import PUBLIC_ID, problems
from telecine.http.services import AppServices
from telecine.problems import not_found

router = APIRouter(
    route_class=JsonRoute, tags=[OPERATOR_TAG], dependencies=[Depends(authenticate_operator)]
)

LiveStreamId = Annotated[str, Path(alias="liveStreamId", pattern=PUBLIC_ID)]


@router.get("/_/live-streams/{liveStreamId}/restreams", responses=problems(404))
async def show_restreams(live_stream_id: LiveStreamId, services: AppServices) -> RestreamStatusList:
    """Show how each target of a live stream is doing; their keys are not shown."""
    async with services.db.transaction() as tx:
        row = await queries.of_any_project(tx, live_stream_id)
    if row is None:
        raise not_found("liveStreamId")
    told = await services.live_status(live_stream_id)
    if told["on_air"]:
        found = [_status(each) for each in told["restreams"]]
    else:
        stored = restreams.opened(services.sealer, row.public_id, row.sealed_restreams)
        found = [
            RestreamStatus(name=each.name, server_url=_without_user(each.server_url), state="off")
            for each in stored
        ]
    return RestreamStatusList(live_stream_id=live_stream_id, on_air=told["on_air"], data=found)


@router.get("/_/live-streams/{liveStreamId}/health", responses=problems(404))
async def show_health(live_stream_id: LiveStreamId, services: AppServices) -> LiveStreamHealth:
    """Show what arrives from the encoder of a live stream."""
    async with services.db.transaction() as tx:
        row = await queries.of_any_project(tx, live_stream_id)
    if row is None:
        raise not_found("liveStreamId")
    told = await services.live_status(live_stream_id)
    health = Health(**told["health"]) if told["on_air"] else None
    return LiveStreamHealth(live_stream_id=live_stream_id, on_air=told["on_air"], health=health)


@router.get("/_/ingest", responses=problems())
async def show_ingest(services: AppServices) -> IngestAddressList:
    """Show where encoders publish to; nowhere, if this node runs no process for them."""
    return IngestAddressList(
        data=[IngestAddress(protocol=name, url=url) for name, url in services.ingest.items()]
    )


def _status(told: Mapping[str, Any]) -> RestreamStatus:
    values = {**told, "server_url": _without_user(told["server_url"])}
    since = datetime.fromtimestamp(values.pop("since_ms") / 1000, UTC)
    return RestreamStatus(**values, since=since)


def _without_user(url: str) -> str:
    """Return a URL without what opens it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
