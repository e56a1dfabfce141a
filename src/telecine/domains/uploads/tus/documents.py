"""The operations of resumable uploads in the OpenAPI document."""

from typing import Any

from telecine.domains.uploads.tus import protocol as tus_protocol
from telecine.domains.uploads.tus.access import TOKEN, TOKEN_HEADER

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_NUMBER: Json = {"type": "integer", "minimum": 0}
_BOOLEAN: Json = {"type": "string", "enum": ["?0", "?1"]}

_PROBLEMS = {
    400: "The request is invalid.",
    401: "The credentials are missing or wrong.",
    403: "Not to be done with this upload, or not by this caller.",
    404: "There is no such upload.",
    409: "The offset is another one, or another request has taken over.",
    410: "The upload has expired.",
    412: "The version of tus is not supported.",
    413: "There are more bytes than the upload may have.",
    415: "The media type is another one.",
    423: "Another request is writing, and does not make room.",
    429: "Too many requests.",
    460: "The checksum is another one: nothing of the request is kept.",
    507: "The storage is full.",
}


def _header(name: str, description: str, schema: Json = _TEXT) -> Json:
    return {"name": name, "in": "header", "description": description, "schema": schema}


_SPEAKING = [
    _header("Tus-Resumable", f"The version of tus: {tus_protocol.VERSION}."),
    _header(tus_protocol.INTEROP, "The interop version of a draft instead.", _NUMBER),
    _header(TOKEN_HEADER, "An upload token; then no other credentials are needed."),
    {"name": TOKEN, "in": "query", "description": "The same.", "schema": _TEXT},
]
_LENGTH = _header(tus_protocol.LENGTH, "The size of the whole file in bytes.", _NUMBER)
_COMPLETE = _header(
    tus_protocol.COMPLETE, "Drafts: whether the file ends with this body.", _BOOLEAN
)
_CHECKSUM = _header(
    tus_protocol.CHECKSUM, "`sha1`, `sha256` or `md5`, a space, and the checksum in Base64."
)
_CREATION = [
    _LENGTH,
    _header(tus_protocol.DEFERRED, "1 where the size is not known yet."),
    _header(tus_protocol.METADATA, "Pairs of a key and a value in Base64."),
    _header(tus_protocol.CONCAT, "`partial`, or `final;` and the URLs of partial uploads."),
    _COMPLETE,
    _CHECKSUM,
]
_APPEND = [
    _header(tus_protocol.OFFSET, "The offset of the body's first byte.", _NUMBER),
    _LENGTH,
    _COMPLETE,
    _CHECKSUM,
]

_BYTES: Json = {"schema": {"type": "string", "format": "binary"}}
_BODY: Json = {
    "content": {tus_protocol.TUS_CHUNK: _BYTES, tus_protocol.DRAFT_CHUNK: _BYTES},
    "required": False,
}
_SECURITY: list[Json] = [{"apiKey": []}, {"bearerAuth": []}]


def responses(*statuses: int) -> dict[int | str, Json]:
    """Document the errors of an operation."""
    reference = {"$ref": "#/components/schemas/ProblemDocument"}
    content = {"application/problem+json": {"schema": reference}}
    return {
        status: {"description": _PROBLEMS[status], "content": content}
        for status in sorted({*statuses, 401, 403, 429})
    }


CREATION: Json = {
    "security": _SECURITY,
    "parameters": [*_SPEAKING, *_CREATION],
    "requestBody": _BODY,
}
"""What FastAPI cannot tell of `POST /tus/`."""

APPEND: Json = {"security": _SECURITY, "parameters": [*_SPEAKING, *_APPEND], "requestBody": _BODY}
"""What FastAPI cannot tell of `PATCH /tus/{uploadId}`."""

QUESTION: Json = {"security": _SECURITY, "parameters": _SPEAKING}
"""What FastAPI cannot tell of the other operations."""
