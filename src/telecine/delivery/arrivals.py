"""Segments of a source that still arrives: waited for, as those that nobody has encoded."""

import asyncio
from dataclasses import dataclass

import structlog

from telecine import clock
from telecine.delivery.media import AssetView, Media, MediaCache
from telecine.delivery.wishes import NotStoredYet

log = structlog.get_logger()

_LOOK_EVERY_S = 0.25
_EXPECTED = 2
"""How many segments behind the known ones may be waited for."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Finds the asset of a segment once the segment's part of the source is there."""

    cache: MediaCache
    wait_s: float

    async def asset(self, media: Media, epoch: int, segment: int) -> AssetView | None:
        """Return the asset as it is when the segment can be made; None: there is none.

        Raises:
            NotStoredYet: it does not arrive soon.
        """
        asset = media.asset
        if asset is None or asset.epoch != epoch:
            return None
        expected = _EXPECTED if asset.is_open and asset.plan.grown else 0
        if segment >= asset.plan.segments + expected:
            return None
        deadline_s = clock.monotonic_s() + self.wait_s
        while asset is not None and asset.epoch == epoch and segment >= asset.arrived:
            if clock.monotonic_s() > deadline_s:
                log.info("segment has not arrived", asset=str(asset.id), n=segment)
                raise NotStoredYet
            # What is known of a video is in memory until it changes: looking costs nothing.
            await asyncio.sleep(_LOOK_EVERY_S)
            found = await self.cache.get(media.video.public_id)
            asset = None if found is None else found.asset
        return asset if asset is not None and asset.epoch == epoch else None
