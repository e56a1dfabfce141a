"""The syntax of single headers of resumable uploads (pure)."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from telecine.problems import Problem, bad_request, invalid_attribute, problem

ALGORITHMS = ("sha1", "sha256", "md5")
"""Checksums that we verify: accidents of transport, not attacks, so MD5 is as good."""

_DIGITS = re.compile(r"\d{1,15}", re.ASCII)
_ITEM_INTEGER = re.compile(r"(\d{1,15})(?:;.*)?", re.ASCII)
_ITEM_BOOLEAN = re.compile(r"\?([01])(?:;.*)?", re.ASCII)
_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]+")  # visible ASCII without the comma
_URL = re.compile(r"[\x21-\x7e]+")
_ID = re.compile(r"[A-Za-z0-9]{1,64}")
_MAX_PAIRS = 100


class Hash(Protocol):
    """What hashlib's objects do."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Add bytes."""

    def digest(self) -> bytes:
        """Return the hash of all bytes so far."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a client says of a body."""

    algorithm: str
    digest: bytes

    def fresh(self) -> Hash:
        """Return the hash of no bytes."""
        return hashlib.new(self.algorithm, usedforsecurity=False)


@dataclass(frozen=True, slots=True)
class Partial:
    """The upload is a stretch of another one to come."""

    @property
    def header(self) -> str:
        """Return the value of the header."""
        return "partial"


@dataclass(frozen=True, slots=True)
class Final:
    """The upload is the concatenation of others, by their URLs."""

    urls: tuple[str, ...]

    @property
    def header(self) -> str:
        """Return the value of the header."""
        return f"final;{' '.join(self.urls)}"

    @property
    def public_ids(self) -> tuple[str, ...]:
        """Return the ids of the parts. Raises Problem 400."""
        return tuple(_id_in(url) for url in self.urls)


def invalid_header(name: str, detail: str) -> Problem:
    """A header is missing or has a value that makes no sense."""
    return bad_request([invalid_attribute(name, detail)])


def checksum_mismatch() -> Problem:
    """The body is not what the client meant to send."""
    title = "The checksum of the body is another one than that of the request."
    return problem(460, "upload-checksum-mismatch", title, "Upload-Checksum")


def plain_integer(headers: Mapping[str, str], name: str) -> int | None:
    """Return a number of tus, None without the header. Raises Problem 400."""
    value = headers.get(name.lower())
    if value is None:
        return None
    if _DIGITS.fullmatch(value.strip()) is None:
        raise invalid_header(name, "This header must be a number of bytes, 0 or more.")
    return int(value)


def item_integer(value: str) -> int | None:
    """Return an Integer (RFC 8941, 3.3.1) of 0 or more; None for anything else."""
    found = _ITEM_INTEGER.fullmatch(value.strip())
    return int(found[1]) if found else None


def item_boolean(value: str) -> bool | None:
    """Return a Boolean (RFC 8941, 3.3.6); None for anything else."""
    found = _ITEM_BOOLEAN.fullmatch(value.strip())
    return found[1] == "1" if found else None


def metadata_of(value: str) -> dict[str, str]:
    """Return the pairs of `Upload-Metadata`. Raises Problem 400.

    Values that are not UTF-8 keep what of them is.
    """
    found: dict[str, str] = {}
    for pair in filter(None, (each.strip() for each in value.split(","))):
        key, _, encoded = pair.partition(" ")
        decoded = _decoded(encoded.strip())
        if _KEY.fullmatch(key) is None or key in found or decoded is None:
            detail = "This header must be pairs of a unique key and a value in Base64."
            raise invalid_header("Upload-Metadata", detail)
        found[key] = decoded.decode("utf-8", "replace").replace("\0", "")
    if len(found) > _MAX_PAIRS:
        raise invalid_header("Upload-Metadata", f"There are more than {_MAX_PAIRS} pairs.")
    return found


def canonical_metadata(value: str) -> str:
    """Return a valid `Upload-Metadata` with nothing in it that is not of the pairs."""
    pairs = (" ".join(pair.split()) for pair in value.split(","))
    return ",".join(filter(None, pairs))


def checksum_of(value: str | None) -> Checksum | None:
    """Return what `Upload-Checksum` says. Raises Problem 400."""
    if value is None:
        return None
    algorithm, _, encoded = value.strip().partition(" ")
    digest = _decoded(encoded.strip())
    if algorithm not in ALGORITHMS:
        detail = f"These algorithms are supported: {', '.join(ALGORITHMS)}."
        raise invalid_header("Upload-Checksum", detail)
    if digest is None or len(digest) != len(Checksum(algorithm, b"").fresh().digest()):
        raise invalid_header("Upload-Checksum", "The checksum must be given in Base64.")
    return Checksum(algorithm, digest)


def concatenation_of(value: str | None) -> Partial | Final | None:
    """Return what `Upload-Concat` says. Raises Problem 400."""
    if value is None:
        return None
    kind, _, rest = value.strip().partition(";")
    urls = tuple(rest.split())
    if kind == "partial" and not rest:
        return Partial()
    if kind == "final" and urls and all(map(_URL.fullmatch, urls)):
        return Final(urls)
    detail = "This header must be `partial`, or `final;` and the URLs of partial uploads."
    raise invalid_header("Upload-Concat", detail)


def _id_in(url: str) -> str:
    try:
        path = urlsplit(url).path
    except ValueError:
        path = ""
    public_id = path.rstrip("/").rpartition("/")[2]
    if _ID.fullmatch(public_id) is None:
        raise invalid_header("Upload-Concat", f"This is not the URL of an upload: {url}")
    return public_id


def _decoded(encoded: str) -> bytes | None:
    """Return the bytes of a Base64 text, with or without its padding."""
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
