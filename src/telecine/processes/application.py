"""The ASGI application of an API process, built from the settings."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from telecine.db.engine import Database
from telecine.db.notify import Listener
from telecine.delivery import app as delivery
from telecine.delivery import dashboard, robots, sharing
from telecine.delivery.client_data import ClientDataReader
from telecine.delivery.embed import static_routes
from telecine.delivery.live import is_live
from telecine.delivery.logos import Logos
from telecine.delivery.sharing import OEmbed, Shared
from telecine.domains.accounts import api as accounts_api
from telecine.domains.accounts import operator_api, signing_keys_api
from telecine.domains.analytics import api as analytics_api
from telecine.domains.analytics import data_api, plays_api
from telecine.domains.analytics.buffer import Buffer
from telecine.domains.analytics.collector import Collector
from telecine.domains.analytics.store.writes import AnalyticsStore
from telecine.domains.captions import api as captions_api
from telecine.domains.chapters import api as chapters_api
from telecine.domains.encodings import api as encodings_api
from telecine.domains.live_streams import api as live_streams_api
from telecine.domains.live_streams import operator_api as live_streams_operator_api
from telecine.domains.players import api as players_api
from telecine.domains.sources import api as sources_api
from telecine.domains.summaries import api as summaries_api
from telecine.domains.uploads import api as uploads_api
from telecine.domains.uploads import delegated_api, tokens_api
from telecine.domains.uploads.tus import api as tus_api
from telecine.domains.videos import account_api, discarded_api, tags_api, thumbnail_api
from telecine.domains.videos import api as videos_api
from telecine.domains.watermarks import api as watermarks_api
from telecine.domains.webhooks import api as webhooks_api
from telecine.domains.webhooks import operator_api as webhooks_operator_api
from telecine.http.app import Api, create_app
from telecine.http.at_once import AtOnce
from telecine.http.edge import Edge as Outermost
from telecine.http.posts import Posts
from telecine.http.ratelimit import RateLimits
from telecine.http.services import PublicUrls, Services
from telecine.net.countries import Countries
from telecine.processes.control import Briefing
from telecine.processes.health import Health
from telecine.processes.ingest import outbound_policy
from telecine.processes.measuring import AnswersAtOnce, Measured, PostsAtOnce
from telecine.processes.onair import ingest_urls, node_name, owner_socket
from telecine.processes.secrets import nodes_key, sealer, token_key
from telecine.processes.viewing import (
    build_delivery,
    build_gate,
    build_live_delivery,
    build_live_edge,
    restrictions_of,
)
from telecine.settings import Settings
from telecine.storage.open import open_store

_QUEUE_PER_SLOT = 4
"""Segments that may wait for each place where viewers' segments are encoded."""

ROUTERS = (
    accounts_api.router,
    operator_api.router,
    signing_keys_api.router,
    videos_api.router,
    uploads_api.router,
    thumbnail_api.router,
    delegated_api.router,
    tokens_api.router,
    tus_api.router,
    watermarks_api.router,
    captions_api.router,
    chapters_api.router,
    players_api.router,
    live_streams_api.router,
    plays_api.router,  # before the ids of videos: `plays` is none
    analytics_api.router,
    data_api.router,
    account_api.router,
    discarded_api.router,
    tags_api.router,
    summaries_api.router,
    webhooks_api.router,
    encodings_api.router,
    sources_api.router,
    webhooks_operator_api.router,
    live_streams_operator_api.router,
)
"""All operations of the API, in the order of the document."""


def rate_limits(settings: Settings) -> dict[str, RateLimits]:
    """Return the limits of projects that have none of their own, by environment."""
    return {
        environment: RateLimits(**values)
        for environment, values in settings.rate_limit.model_dump().items()
    }


def services(settings: Settings, briefing: Briefing) -> Services:
    """Build what request handlers need."""
    return Services(
        db=Database(briefing.database_url),
        store=open_store(
            settings.storage, os.environ, reserve_bytes=settings.disk_reserve_mib << 20
        ),
        urls=PublicUrls(
            api=settings.api_url,
            embed=settings.embed_url,
            vod=settings.vod_url,
            live=settings.live_url,
            collector=settings.collector_url,
        ),
        token_key=token_key(briefing.secret_key),
        sealer=sealer(settings, briefing),
        countries=Countries(settings.geoip_database),
        outbound=outbound_policy(settings),
        disk_reserve_bytes=settings.disk_reserve_mib << 20,
        analytics_days=settings.keep_analytics_days,
        discarded_kept=timedelta(days=settings.keep_discarded_videos_days),
        upload_lifetime=timedelta(days=settings.keep_uploads_days) or None,
        operator_digest=bytes.fromhex(briefing.operator_digest),
        rate_limits=rate_limits(settings),
        ingest=ingest_urls(settings),
        transcripts=bool(settings.transcript_command),
        summaries=bool(settings.summary_command),
    )


def api(settings: Settings, built: Services, collector: Collector | None = None) -> Api:
    """Build the application without delivery; `collector` takes what players tell."""
    health = Health(built.db, built.store, settings.disk_reserve_mib)
    routes = [*health.routes(), *static_routes(), *robots.routes(), *Logos(built.db).routes()]
    routes += dashboard.routes(built.urls)
    if collector is not None:
        routes += collector.routes()
    return create_app(ROUTERS, routes, built)


def document() -> dict[str, Any]:
    """Return the OpenAPI document; nothing is connected or opened for it."""
    settings = Settings()
    nowhere = Briefing("postgresql:///", "", "")
    return api(settings, services(settings, nowhere)).openapi()


@asynccontextmanager
async def running(settings: Settings, briefing: Briefing) -> AsyncIterator[tuple[ASGIApp, AtOnce]]:
    """Run the whole application: operations, delivery, and what wakes them.

    What is in memory of segments is answered at once, and what players tell is taken at once,
    before the application is asked.
    """
    built, listener = services(settings, briefing), Listener(briefing.database_url)
    edge = build_live_edge(
        built.db,
        listener,
        owner_socket(settings.data),
        node_name(settings.data),
        nodes_key(briefing.secret_key),
    )
    built = replace(built, live_status=edge.status)

    gate = build_gate(
        built.db,
        listener,
        built.token_key,
        built.sealer,
        restrictions_of(built.urls, built.countries),
    )
    viewers, segments = build_delivery(
        built.db,
        built.store,
        listener,
        built.urls,
        gate,
        _QUEUE_PER_SLOT * settings.viewer_slots,
    )
    watchers, on_air = build_live_delivery(built.db, built.store, listener, built.urls, gate, edge)
    pings = Buffer(AnalyticsStore(built.db))
    collector = Collector(pings, built.token_key, built.countries, settings.ping_limit)
    pinged = Outermost(collector, collector.takes)
    heard, heard_live = (
        ClientDataReader(each, collector.hear, collector.mishear) for each in (viewers, watchers)
    )
    operations = api(settings, built, collector)

    async def shared(public_id: str) -> Shared | None:
        found = viewers if public_id.startswith("vi") else watchers
        return await found.shared(public_id)

    oembed = OEmbed(shared, built.store, built.urls)

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        # Before the framework: media are most of the requests.
        answer: ASGIApp = operations
        if scope["type"] == "http":
            if delivery.is_video(scope["path"]):
                answer = heard
            elif is_live(scope["path"]):
                answer = heard_live
            elif collector.takes(scope):
                answer = pinged
            elif scope["path"] == sharing.PATH:
                answer = oembed
        await answer(scope, receive, send)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in (listener.run(), edge.run(), pings.run())]
            posts = Posts(
                collector.tell, collector.paths, settings.trusted_proxies, PostsAtOnce().note
            )
            note = AnswersAtOnce().note
            yield (
                Measured(front),
                AtOnce(segments, heard.overhear, live=on_air, on_answer=note, posts=posts),
            )
            for task in tasks:
                task.cancel()
    finally:
        await built.db.close()
