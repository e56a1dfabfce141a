"""`Idempotency-Key`: a request that is sent twice changes something once.

The header and its errors follow draft-ietf-httpapi-idempotency-key-header-07, but any
visible ASCII is a key, quoted or not. Where answers are kept is the affair of a domain.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from starlette.responses import Response

from telecine import ids
from telecine.problems import Problem, bad_request, invalid_attribute, problem, with_headers

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"

PATTERN = r"^[\x21-\x7e]{1,255}$"
DESCRIPTION = (
    "A word of your choice, 1 to 255 visible ASCII characters, such as a UUID. The same request "
    "with the same key, within 24 hours, changes nothing and gets the first answer again."
)

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_NONCE_BYTES = 12  # NIST SP 800-38D, 5.2.1.1
_AGAIN_AFTER_S = 1


def key_of(values: Sequence[str]) -> str | None:
    """Return the key in the headers of that name, None without any. Raises Problem 400."""
    if not values:
        return None
    if len(values) > 1 or _KEY.fullmatch(values[0]) is None:
        detail = "This header must be given once, with 1 to 255 visible ASCII characters."
        raise bad_request([invalid_attribute(HEADER, detail)])
    return values[0]


def refused() -> Problem:
    """The answer holds a secret that is shown once: it is kept nowhere."""
    detail = "The answer of this operation is shown once: it cannot be repeated."
    return bad_request([invalid_attribute(HEADER, detail)])


def other_request() -> Problem:
    """The key came with another body before."""
    title = "This idempotency key was used for another request."
    detail = "Repeat the first request unchanged, or choose another key."
    return problem(422, "idempotency-key-reused", title, HEADER, detail)


def in_flight() -> Problem:
    """The first request with this key is at work still."""
    title = "A request with this idempotency key is being processed."
    error = problem(409, "idempotency-key-in-use", title, HEADER)
    return with_headers(error, {"Retry-After": str(_AGAIN_AFTER_S)})


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it is kept: what the operation said, not what the edge adds."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @classmethod
    def of(cls, response: Response) -> Self:
        """Take down a response whose body is complete."""
        headers = response.headers.items()
        kept = tuple(pair for pair in headers if pair[0] != "content-length")
        return cls(response.status_code, kept, bytes(response.body))

    def response(self) -> Response:
        """Return the response again, marked as a repetition."""
        return Response(self.body, self.status, {**dict(self.headers), REPLAYED: "true"})

    def sealed(self, key: bytes) -> bytes:
        """Return it encrypted (AES-256-GCM): an answer may hold tokens of private media."""
        head = json.dumps([self.status, self.headers]).encode()
        nonce = ids.random_bytes(_NONCE_BYTES)
        return nonce + AESGCM(key).encrypt(nonce, head + b"\n" + self.body, None)

    @classmethod
    def unsealed(cls, sealed: bytes, key: bytes) -> Self:
        """Rebuild an answer from `sealed`."""
        nonce, encrypted = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        head, _, body = AESGCM(key).decrypt(nonce, encrypted, None).partition(b"\n")
        status, headers = json.loads(head)
        return cls(status, tuple((name, value) for name, value in headers), body)


class Replay(Exception):
    """Leaves a handler whose work was done before; the edge sends the kept answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def digest(*parts: str | bytes) -> bytes:
    """Return one SHA-256 over parts, in which their borders count."""
    hashed = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        hashed.update(len(data).to_bytes(8) + data)
    return hashed.digest()
