"""What the owner of a video wants to have of what is said in it."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from telecine.db.engine import Transaction
from telecine.domains.encodings import queries as media
from telecine.domains.encodings.models import Asset, AssetState, Growth
from telecine.domains.videos.queries import VideoRow
from telecine.domains.words import operations as words
from telecine.domains.words.models import ATTRIBUTES
from telecine.domains.words.queries import transcript_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """Members of a request. `transcript` None: it says nothing of it.

    `language`: it names one. What is `possible` is what this installation has commands for.
    """

    transcript: bool | None
    language: bool
    summary: bool
    attributes: Collection[str]
    transcripts_possible: bool
    summaries_possible: bool


async def ask(tx: Transaction, project_id: UUID, row: VideoRow, wishes: Wishes) -> None:
    """Have done what was wished for a video whose row is locked, or new.

    A language without more asks for a transcript in it, as api.video says, where one can
    be made or there is one already.

    Raises:
        Problem: 409, a summary is wanted and there is one.
    """
    named = wishes.language and row.language is not None and wishes.transcript is None
    if named and not wishes.transcripts_possible:
        named = await transcript_of(tx, project_id, row.id) is not None
    if not (named or wishes.transcript or wishes.summary):
        return
    asset_id = await ready_asset(tx, row.id)
    if named or wishes.transcript:
        await words.ask_for_transcript(tx, project_id, row.id, row.language, asset_id)
    if wishes.summary:
        await words.add_summary(
            tx,
            project_id,
            row.id,
            asked_as="transcriptSummary",
            attributes=wishes.attributes or ATTRIBUTES,
            possible=wishes.summaries_possible,
            asset_id=asset_id,
        )
    await check_media(tx, project_id, row.id)


async def ready_asset(tx: Transaction, video_id: UUID) -> UUID | None:
    """Return the asset of a video if its media is complete, and lock it; None: not yet."""
    asset = await media.current_asset(tx, video_id, lock=True)
    return None if asset is None or not _is_whole(asset) else asset.id


def _is_whole(asset: Asset) -> bool:
    return asset.state == AssetState.PLANNED and asset.growth in (None, Growth.CLOSED)


async def check_media(tx: Transaction, project_id: UUID, video_id: UUID) -> None:
    """Say at once that nothing can be made of media that cannot be read."""
    asset = await media.current_asset(tx, video_id, lock=True)
    if asset is not None and asset.state == AssetState.FAILED:
        await words.media_failed(tx, project_id, video_id, asset.failure or "")


async def resume(tx: Transaction, project_id: UUID, video_id: UUID) -> None:
    """Go on with what was wished for a video that was discarded for a while."""
    asset_id = await ready_asset(tx, video_id)
    if asset_id is not None:
        await words.media_ready(tx, project_id, video_id, asset_id)
