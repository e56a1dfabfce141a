"""Who may see a media: of a private one the bearer of a session, or of a token for once.

Where its project has lists of sites or countries, only who comes from there.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol
from urllib.parse import parse_qsl
from uuid import UUID

from starlette.types import Scope

from telecine import clock
from telecine.db.engine import Database
from telecine.delivery.answers import Answer
from telecine.delivery.origin import address_of, sites_of
from telecine.delivery.restrictions import Restrictions
from telecine.delivery.signers import SigningKeys
from telecine.domains.accounts.access import Access
from telecine.domains.videos import sessions, signatures, tokens, used_tokens
from telecine.domains.videos.signatures import Signature
from telecine.http.recent import Recent

SESSION = "avh"
SESSION_HEADER = b"x-token-session"

CREDENTIAL = "[0-9a-fA-F-]{36}|" + signatures.PATTERN
"""What stands in a path as the token of a private media, as an expression."""

_REMEMBERED_S = 30.0
"""For so long ranges of one file do not each ask the database whose token it is."""

_URI = re.compile(r'(?<=[,:]URI=")[^"]+')


class Guarded(Protocol):
    """A media."""

    @property
    def public(self) -> bool:
        """Whether it needs neither token nor session."""

    @property
    def access(self) -> Access | None:
        """From where it may be watched."""

    @property
    def public_id(self) -> str:
        """Its id."""

    @property
    def project_id(self) -> UUID:
        """Whose it is."""


@dataclass(frozen=True, slots=True)
class Admission:
    """A viewer may come in. `session` opens what they fetch next, None: their token does.

    `lasting`: the token is not used up, so nobody has to turn it into a session.
    """

    session: str | None = None
    token: str | None = None
    lasting: bool = False


class Gate:
    """Decides on private media. `key` signs tokens and sessions.

    `signers` are the keys of signed URLs, `restrictions` apply the lists of projects.
    """

    def __init__(
        self, db: Database, key: bytes, signers: SigningKeys, restrictions: Restrictions
    ) -> None:
        self._db = db
        self._key = key
        self._signers = signers
        self._restrictions = restrictions
        self._remembered: Recent[tuple[str, bytes], datetime] = Recent(
            _REMEMBERED_S, max_entries=10_000
        )

    async def opens_page(self, scope: Scope, media: Guarded, token: str | None) -> Admission | None:
        """Decide on the player page, which uses no token up: previews fetch it as well.

        Its script, or what it shows first, does.
        """
        media_id = media.public_id
        session = self._session(scope, media_id)
        if session is not None:
            # Media are below a token; a session opens them whichever it is.
            return Admission(session, tokens.issue(self._key, media_id, clock.now()))
        if token and await self._signature(scope, media, token):
            return Admission(None, token, lasting=True)
        return Admission(None, token) if token and self._issued(media_id, token) else None

    def refuses_page(self, scope: Scope, media: Guarded) -> bool:
        """Tell whether the site that embeds a player page may not; its country does not matter.

        The page is where viewers in other countries learn why nothing plays.
        """
        return self._restrictions.refuse_site(scope, media.access) is not None

    async def admit(self, scope: Scope, media: Guarded, token: str | None) -> Admission | None:
        """Decide on a media file; the first one that comes without a session uses the token up.

        HEAD uses nothing up, nor does who comes from a place that may not watch.

        Raises:
            Problem: 403, from there nobody may watch.
        """
        refused = self._restrictions.refuse(scope, media.access)
        if refused is not None:
            scope = {**scope, "method": "HEAD"}
        admission = Admission() if media.public else await self._admit(scope, media, token)
        if admission is not None and refused is not None:
            raise refused
        return admission

    async def _admit(self, scope: Scope, media: Guarded, token: str | None) -> Admission | None:
        media_id = media.public_id
        session = self._session(scope, media_id)
        if token is None or session is not None:
            return None if token is None else Admission(session)
        if await self._signature(scope, media, token):
            return Admission()
        if not self._issued(media_id, token):
            return None
        viewer, now = self._viewer(scope), clock.now()
        since = self._remembered.get((token, viewer))
        if since is None:
            async with self._db.transaction() as tx:
                if scope["method"] == "HEAD" and not await used_tokens.is_used(tx, token):
                    return Admission(sessions.issue(self._key, media_id, now))
                use = await used_tokens.use(tx, token, viewer, now)
            if use is None:
                return None
            since = use.used_at
            self._remembered.put((token, viewer), since)
        return Admission(sessions.issue(self._key, media_id, since))

    async def begin(self, scope: Scope, media: Guarded, token: str | None) -> str | None:
        """Turn a token into a session, None if it was used up already.

        Whoever holds a session gets it again. That of a signed token ends with it; there is
        none of one that is bound to a viewer or site, because sessions are not.
        """
        media_id, now = media.public_id, clock.now()
        session = self._session(scope, media_id)
        if token is None or session is not None:
            return None if token is None else session
        if signature := await self._signature(scope, media, token):
            if signature.is_bound:
                return None
            since = min(now, signature.expires_at - sessions.LIFETIME)
            return sessions.issue(self._key, media_id, since)
        if not self._issued(media_id, token):
            return None
        async with self._db.transaction() as tx:
            if scope["method"] == "HEAD":
                used = await used_tokens.is_used(tx, token)
                return None if used else sessions.issue(self._key, media_id, now)
            if await used_tokens.use(tx, token, None, now) is None:
                return None
        return sessions.issue(self._key, media_id, now)

    def session_end(self, media_id: str, session: str) -> datetime | None:
        """Return until when a session opens a private media, None if it is not one of ours."""
        return sessions.end_of(self._key, media_id, session)

    def signed_end(self, media: Guarded, token: str) -> datetime | None:
        """Return until when a signed token opens a private media for anybody.

        None if that cannot be told at once: `admit` can.
        """
        signature = Signature.parse(token)
        if signature is None or signature.is_bound:
            return None
        secret = self._signers.known(media.project_id).get(signature.key_id)
        if secret is None or not signature.verify(secret, media.public_id, clock.now()):
            return None
        return signature.expires_at

    def public_session(self, media_id: str) -> str:
        """Return a session for a public video: clients may ask for one, nobody needs it."""
        return sessions.issue(self._key, media_id, clock.now())

    async def _signature(self, scope: Scope, media: Guarded, token: str) -> Signature | None:
        """Return what a signed token says, if it opens this media for this viewer now."""
        signature = Signature.parse(token)
        if signature is None:
            return None
        secret = (await self._signers.of(media.project_id)).get(signature.key_id)
        if secret is None or not signature.verify(secret, media.public_id, clock.now()):
            return None
        if not signature.is_of(address_of(scope)):
            return None
        takes = {signature.host, *self._restrictions.own_hosts}
        if signature.host and not sites_of(scope) <= takes:
            return None
        return signature

    def _issued(self, media_id: str, token: str) -> bool:
        return tokens.verify(self._key, media_id, token, clock.now())

    def _session(self, scope: Scope, media_id: str) -> str | None:
        """Return the session that a request brings along, if it is good for this media."""
        query = parse_qsl(scope["query_string"].decode("latin-1"))
        brought = [value for name, value in query if name == SESSION]
        brought += [
            value.decode("latin-1") for name, value in scope["headers"] if name == SESSION_HEADER
        ]
        now = clock.now()
        good = (each for each in brought if sessions.verify(self._key, media_id, each, now))
        return next(good, None)

    def _viewer(self, scope: Scope) -> bytes:
        """Return a keyed digest of address and program: all that a first request tells."""
        address = address_of(scope)
        agents = [value for name, value in scope["headers"] if name == b"user-agent"]
        message = b"\0".join([b"viewer", address.encode(), *agents])
        return hmac.digest(self._key, message, hashlib.sha256)[:16]


def named(answer: Answer, session: str | None) -> Answer:
    """Return an answer that names the session for clients which send it as a header."""
    if session is None:
        return answer
    return replace(answer, headers=(*answer.headers, (SESSION_HEADER, session.encode())))


def in_session(playlist: str, session: str) -> str:
    """Return a playlist whose URIs carry a session; the token is in their path already."""

    def carry(uri: str) -> str:
        return f"{uri}{'&' if '?' in uri else '?'}{SESSION}={session}"

    lines = [
        _URI.sub(lambda found: carry(found[0]), line)
        if line.startswith("#")
        else carry(line)
        if line
        else line
        for line in playlist.split("\n")
    ]
    return "\n".join(lines)


def pictures_in_session(storyboard: str, session: str) -> str:
    """Return a list of previews whose pictures carry a session."""
    return storyboard.replace(".jpg#", f".jpg?{SESSION}={session}#")
