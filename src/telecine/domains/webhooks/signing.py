"""What a webhook request says and how it is signed (pure)."""

import hmac
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

PREFIX = "sig_sec_"
"""What secrets begin with; it is part of the key."""


def body_of(payload: Mapping[str, Any]) -> bytes:
    """Return the body: compact JSON, the same bytes in every attempt."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


def signature(secret: str, body: bytes) -> str:
    """Return api.video's signature: HMAC-SHA256 of the raw body, in hex."""
    return hmac.digest(secret.encode(), body, "sha256").hex()


def timed_signature(secret: str, body: bytes, unix_s: int) -> str:
    """Return our own signature, which also covers when the attempt was made.

    Receivers that refuse old times cannot be fed a request that somebody recorded.
    """
    signed = str(unix_s).encode() + b"." + body
    return f"t={unix_s},v1={hmac.digest(secret.encode(), signed, 'sha256').hex()}"


def headers(
    webhook_id: str, delivery_id: UUID, event_id: UUID, secret: str, body: bytes, unix_s: int
) -> dict[str, str]:
    """Return the headers of one attempt."""
    return {
        "content-type": "application/json",
        "x-api-video-webhookid": webhook_id,
        "x-api-video-signature": signature(secret, body),
        "telecine-signature": timed_signature(secret, body, unix_s),
        "x-telecine-delivery": str(delivery_id),
        "x-telecine-event": str(event_id),
    }
