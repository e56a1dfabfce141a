"""Views for Python clients below 1.3.2, which refuse nulls and members they do not know."""

from typing import cast

from telecine.domains.videos.documents import Json
from telecine.http.clients import Version, without_nulls

_LATER_MEMBERS = frozenset({"language", "languageOrigin", "discarded", "discardedAt", "deletesAt"})
_FIRST_WITH_PARTS: Version = (1, 2, 3)
_KNOWN_INGEST = {"ingesting": "uploading", "ingested": "uploaded"}


def video(document: Json) -> Json:
    """Return a Video that every old client can read."""
    kept = {name: value for name, value in document.items() if name not in _LATER_MEMBERS}
    return cast("Json", without_nulls(kept))


def video_id(public_id: str) -> Json:
    """Return what an old client reads after a part of a file whose end it does not know."""
    return {"videoId": public_id}


def status(document: Json, version: Version) -> Json:
    """Return a VideoStatus that a client of this version can read."""
    kept = cast("Json", without_nulls(document))
    ingest = kept.get("ingest")
    if ingest is not None:
        ingest["status"] = _KNOWN_INGEST.get(ingest["status"], ingest["status"])
        if version < _FIRST_WITH_PARTS:
            ingest.pop("receivedParts", None)
    return kept
