"""What is asked for as renditions become complete: pictures, other codecs, a last look.

What is beside the ladder is told to the operator alone: the API's qualities and events are
those of the ladder, with or without it.
"""

from collections.abc import Sequence

from telecine.db.engine import Transaction
from telecine.domains.encodings import queries
from telecine.domains.encodings.jobs import CheckAsset, EncodeExtra, MakeStoryboard, SweepAsset
from telecine.domains.encodings.models import Asset, Growth, Rendition, RenditionState
from telecine.domains.encodings.operations import BACKGROUND
from telecine.jobs import queue
from telecine.pipeline.extra import codec_of, is_extra

CHUNK_WINDOW = 8
"""Jobs of one video and codec that wait in the queue at a time; each asks for another."""


async def ask_for_extras(tx: Transaction, asset: Asset, rows: Sequence[Rendition]) -> None:
    """Ask for what is missing beside the ladder, if the ladder and the sound are complete."""
    complete = all(row.state == RenditionState.ENCODED for row in queries.promised(rows))
    if not complete or asset.growth in (Growth.OPEN, Growth.REPLACED):
        return
    over = (RenditionState.ENCODED, RenditionState.FAILED)
    codecs = {codec_of(row.name) for row in rows if is_extra(row.name) and row.state not in over}
    jobs = [
        EncodeExtra(asset_id=asset.id, codec=codec, chunk=chunk)
        for chunk in range(min(asset.chunks, CHUNK_WINDOW))
        for codec in sorted(codecs)
    ]
    if jobs:
        look = CheckAsset(asset_id=asset.id)  # at what is there: the rest takes long
        await queue.enqueue(tx, look, priority=BACKGROUND)
        await queue.enqueue_in_turn(tx, asset.project_id, *jobs, priority=BACKGROUND)


async def ask_for_storyboard(tx: Transaction, asset: Asset, rows: Sequence[Rendition]) -> None:
    """Ask for the storyboard if what it is made of is complete."""
    lowest = queries.lowest(rows)
    if lowest is not None and lowest.state == RenditionState.ENCODED:
        await queue.enqueue(tx, MakeStoryboard(asset_id=asset.id), priority=BACKGROUND)


async def ask_for_checks(tx: Transaction, asset: Asset, rows: Sequence[Rendition]) -> None:
    """Ask for the last looks at an asset if nothing of it is missing any more."""
    if all(row.state == RenditionState.ENCODED for row in rows):
        jobs = SweepAsset(asset_id=asset.id), CheckAsset(asset_id=asset.id)
        await queue.enqueue(tx, *jobs, priority=BACKGROUND)
