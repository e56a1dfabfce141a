"""What goes over the wire for upload tokens."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from telecine.http.schemas import Pagination, Wire

MAX_TTL_S = 2_147_483_647
"""Documented: the largest 32-bit integer, 68 years."""


class TokenCreation(Wire):
    """A new upload token; null counts as absent."""

    ttl: Annotated[int, Field(ge=0, le=MAX_TTL_S, strict=True)] | None = Field(
        default=None,
        description="For how many seconds the token works. 0, the default: until it is deleted.",
    )


class UploadTokenDocument(Wire):
    """An upload token."""

    token: str
    ttl: int
    created_at: datetime
    expires_at: datetime | None = Field(
        default=None, description="Absent from tokens that do not expire."
    )


class UploadTokenList(Wire):
    """A page of upload tokens."""

    data: list[UploadTokenDocument]
    pagination: Pagination
