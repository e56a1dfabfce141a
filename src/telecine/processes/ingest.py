"""What a worker needs to get sources by itself."""

from telecine.db.engine import Database
from telecine.domains.sources.handlers import Bench
from telecine.domains.videos.operations import source_failed, source_ingested
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


def ingest_bench(settings: Settings, db: Database, store: Store, client: OutboundClient) -> Bench:
    """Build the place where sources are fetched."""
    return Bench(
        db=db,
        store=store,
        client=client,
        complete=source_ingested,
        failed=source_failed,
        allow_playlists=settings.allow_hls_sources,
    )
