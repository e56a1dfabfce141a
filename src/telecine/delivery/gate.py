"""Who may see a private video: the bearer of a session, or of a token for once."""

import hashlib
import hmac
import re
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import parse_qsl

from starlette.types import Scope

from telecine import clock
from telecine.db.engine import Database
from telecine.delivery.answers import Answer
from telecine.domains.videos import sessions, tokens, used_tokens
from telecine.http.recent import Recent

SESSION = "avh"
SESSION_HEADER = b"x-token-session"

CREDENTIAL = "[0-9a-fA-F-]{36}"
"""What stands in a path as the token of a private media, as an expression."""

_REMEMBERED_S = 30.0
"""For so long ranges of one file do not each ask the database whose token it is."""

_URI = re.compile(r'(?<=[,:]URI=")[^"]+')


@dataclass(frozen=True, slots=True)
class Admission:
    """A viewer may come in; `session` opens what they fetch next, None: it is public."""

    session: str | None = None
    token: str | None = None


class Gate:
    """Decides on private media. `key` signs tokens and sessions."""

    def __init__(self, db: Database, key: bytes) -> None:
        self._db = db
        self._key = key
        self._remembered: Recent[tuple[str, bytes], datetime] = Recent(
            _REMEMBERED_S, max_entries=10_000
        )

    def opens_page(self, scope: Scope, media_id: str, token: str | None) -> Admission | None:
        """Decide on the player page, which uses no token up: previews fetch it as well.

        Its script, or what it shows first, does.
        """
        session = self._session(scope, media_id)
        if session is not None:
            # Media are below a token; a session opens them whichever it is.
            return Admission(session, tokens.issue(self._key, media_id, clock.now()))
        return Admission(None, token) if token and self._issued(media_id, token) else None

    async def admit(self, scope: Scope, media_id: str, token: str | None) -> Admission | None:
        """Decide on a media file; the first one that comes without a session uses the token up.

        HEAD uses nothing up.
        """
        session = self._session(scope, media_id)
        if token is None or session is not None:
            return None if token is None else Admission(session)
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

    async def begin(self, scope: Scope, media_id: str, token: str | None) -> str | None:
        """Turn a token into a session, None if it was used up already.

        Whoever holds a session gets it again.
        """
        session = self._session(scope, media_id)
        if token is None or session is not None:
            return None if token is None else session
        if not self._issued(media_id, token):
            return None
        now = clock.now()
        async with self._db.transaction() as tx:
            if scope["method"] == "HEAD":
                used = await used_tokens.is_used(tx, token)
                return None if used else sessions.issue(self._key, media_id, now)
            if await used_tokens.use(tx, token, None, now) is None:
                return None
        return sessions.issue(self._key, media_id, now)

    def public_session(self, media_id: str) -> str:
        """Return a session for a public video: clients may ask for one, nobody needs it."""
        return sessions.issue(self._key, media_id, clock.now())

    def _issued(self, media_id: str, token: str) -> bool:
        return tokens.verify(self._key, media_id, token, clock.now())

    def _session(self, scope: Scope, media_id: str) -> str | None:
        """Return the session that a request brings along, if it is good for this media."""
        now = clock.now()
        query = parse_qsl(scope["query_string"].decode("latin-1"))
        brought = [value for name, value in query if name == SESSION]
        brought += [
            value.decode("latin-1") for name, value in scope["headers"] if name == SESSION_HEADER
        ]
        good = (each for each in brought if sessions.verify(self._key, media_id, each, now))
        return next(good, None)

    def _viewer(self, scope: Scope) -> bytes:
        """Return a keyed digest of address and program: all that a first request tells."""
        address = scope["client"][0] if scope["client"] else ""
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
