"""`/_/live-streams`: how events are doing, for the operator."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

from fastapi import APIRouter, Depends, Path

from telecine.domains.accounts.auth import authenticate_operator
from telecine.domains.live_streams import queries, restreams
from telecine.domains.live_streams.schemas import RestreamStatus, RestreamStatusList
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
