"""The keys of an asset's objects; all lie below its prefix."""

from telecine import ids


def plan_key(prefix: str, revision: str = "") -> str:
    """The plan: one JSON object, written once.

    Of a source that still arrives there are several, each longer than the one before:
    the asset's row names the `revision` that counts.
    """
    return f"{prefix}plan{_suffix(revision)}.json"


def probe_key(prefix: str, revision: str = "") -> str:
    """What the probe found: one JSON object."""
    return f"{prefix}probe{_suffix(revision)}.json"


def samples_key(prefix: str, revision: str = "") -> str:
    """The sample index of an MP4 or MOV source."""
    return f"{prefix}samples{_suffix(revision)}.bin"


def passthrough_key(prefix: str, kind: str, revision: str = "") -> str:
    """Ready moofs and source ranges of every passthrough segment (video or audio)."""
    return f"{prefix}passthrough-{kind}{_suffix(revision)}.bin"


def of_revision(prefix: str, revision: str) -> list[str]:
    """Return every key that a revision may have."""
    kinds = [passthrough_key(prefix, kind, revision) for kind in ("video", "audio")]
    named = (plan_key, probe_key, samples_key)
    return [*(key(prefix, revision) for key in named), *kinds]


def _suffix(revision: str) -> str:
    return f"-{revision}" if revision else ""


def run_key(prefix: str, rendition: str, first_piece: int) -> str:
    """A new key for a run of pieces; writers that race get different ones."""
    return f"{prefix}{rendition}/{first_piece:06d}-{ids.nonce()}.run"


def index_key(prefix: str, rendition: str) -> str:
    """A new key for the index of a finished rendition."""
    return f"{prefix}{rendition}/index-{ids.nonce()}.bin"


def storyboard_key(prefix: str) -> str:
    """A new key for the storyboard."""
    return f"{prefix}storyboard-{ids.nonce()}.bin"


def still_key(prefix: str) -> str:
    """A new key for a picture taken from the source."""
    return f"{prefix}still-{ids.nonce()}.jpg"
