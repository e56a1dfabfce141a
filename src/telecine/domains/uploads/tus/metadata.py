"""What clients say of a file beside its bytes: in `Upload-Metadata`, or by its disposition."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from telecine.domains.uploads.tus.fields import metadata_of
from telecine.domains.uploads.tus.protocol import METADATA
from telecine.domains.videos.schemas import VideoCreation
from telecine.http.multipart import clean_file_name, file_name_in
from telecine.http.problems import validation_problem
from telecine.problems import Problem

_NAMES = ("filename", "name")  # tus clients; Uppy
_TEXTS = ("title", "description")
_FLAGS = ("public", "panoramic", "mp4Support")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def token_of(headers: Mapping[str, str]) -> str | None:
    """Return the upload token among the metadata, None if there is none."""
    try:
        return metadata_of(headers.get(METADATA.lower(), "")).get("token") or None
    except Problem:
        return None  # who asks is judged before what is asked


def file_name_of(metadata: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """Return the name of the file that is uploaded, `file` if nothing tells it."""
    given = next((metadata[name] for name in _NAMES if metadata.get(name)), None)
    if given is None:
        given = file_name_in(headers.get("content-disposition", ""))
    return clean_file_name(given)


def video_of(metadata: Mapping[str, str], file_name: str) -> dict[str, Any]:
    """Return the columns of the video that an upload makes. Raises Problem 400.

    Whatever else clients send of their own is kept, and not looked at.
    """
    payload: dict[str, Any] = {"title": file_name}
    payload |= {name: metadata[name] for name in _TEXTS if metadata.get(name)}
    for name in _FLAGS:
        if name in metadata:
            payload[name] = _BOOLEANS.get(metadata[name].strip().lower(), metadata[name])
    if "tags" in metadata:
        payload["tags"] = [tag.strip() for tag in metadata["tags"].split(",") if tag.strip()]
    try:
        return VideoCreation.model_validate(payload).columns()
    except ValidationError as error:
        found = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise validation_problem(found) from None
