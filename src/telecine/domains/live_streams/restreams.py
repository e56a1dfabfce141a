"""Where a live stream is sent on to, as it is stored: with keys that must be shown again."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from telecine.sealing import Sealer


@dataclass(frozen=True, slots=True)
class Restream:
    """A target: media goes to `server_url`/`stream_key`."""

    name: str
    server_url: str
    stream_key: str


def sealed(sealer: Sealer, public_id: str, restreams: Sequence[Restream]) -> bytes | None:
    """Return the targets of a live stream as its row holds them; None for none."""
    if not restreams:
        return None
    return sealer.seal(json.dumps([asdict(each) for each in restreams]), _place(public_id))


def opened(sealer: Sealer, public_id: str, stored: bytes | None) -> tuple[Restream, ...]:
    """Return the targets that the row of a live stream holds. Raises SealError."""
    if stored is None:
        return ()
    return tuple(Restream(**each) for each in json.loads(sealer.open(stored, _place(public_id))))


def _place(public_id: str) -> str:
    return f"{public_id}/restreams"
