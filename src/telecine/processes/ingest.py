"""What a worker needs to get sources by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from telecine.db.engine import Database
from telecine.domains.sources.handlers import Bench
from telecine.domains.videos.operations import source_ingested
from telecine.net.client import OutboundClient
from telecine.net.policy import OutboundPolicy
from telecine.settings import Settings
from telecine.storage.store import Store

SLOTS = 8
"""Downloads and copies at a time in one worker process: they wait for others mostly."""


def outbound_policy(settings: Settings) -> OutboundPolicy:
    """Return which servers this installation may ask."""
    proxy = settings.outbound_proxy
    return OutboundPolicy.of(
        settings.outbound_allow, proxy=None if proxy is None else proxy.get_secret_value()
    )


@asynccontextmanager
async def ingest_bench(settings: Settings, db: Database, store: Store) -> AsyncIterator[Bench]:
    """Build the place where sources are fetched."""
    async with OutboundClient(outbound_policy(settings)) as client:
        yield Bench(
            db=db,
            store=store,
            client=client,
            complete=source_ingested,
            allow_playlists=settings.allow_hls_sources,
        )
