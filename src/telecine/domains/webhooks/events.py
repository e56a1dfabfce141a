"""What can happen, by name: the events of api.video, and those that are ours alone."""

import enum

BROADCAST_STARTED = "live-stream.broadcast.started"
BROADCAST_ENDED = "live-stream.broadcast.ended"
SOURCE_RECORDED = "video.source.recorded"
QUALITY_COMPLETED = "video.encoding.quality.completed"
CAPTION_GENERATED = "video.caption.generated"
SUMMARY_GENERATED = "video.summary.generated"

PUBLIC = (
    BROADCAST_STARTED,
    BROADCAST_ENDED,
    SOURCE_RECORDED,
    QUALITY_COMPLETED,
    CAPTION_GENERATED,
    SUMMARY_GENERATED,
)
"""The events that official clients know. Newer ones type them as an enum, so no webhook
object that they read may name another."""

SOURCE_UPLOADED = "video.source.uploaded"
PLAYABLE = "video.playable"
ENCODING_FAILED = "video.encoding.failed"
DELETED = "video.deleted"

OWN = (SOURCE_UPLOADED, PLAYABLE, ENCODING_FAILED, DELETED)
"""Events that api.video never had: in the list of events for all, in webhooks for those
that name them."""

TEST = "webhook.test"
"""Sent to one webhook, on request."""


class DeliveryState(enum.StrEnum):
    """How far a delivery has come."""

    WAITING = "waiting"  # for its turn, for an answer, or for another attempt
    DELIVERED = "delivered"
    FAILED = "failed"  # given up; it can be replayed
