"""Segments that viewers wait for: asked by delivery, encoded by any worker at once.

The first segments of a new video are wanted ahead of its viewers, behind all of them.

A want lives as long as somebody renews it. Whoever encodes it holds a lease, which is
short, so that the wants of a worker that died are taken over. All times are those of
the database, so nodes need not agree about the time.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text

from telecine.db.engine import Transaction
from telecine.db.notify import notify

WANTED = "telecine_wanted"
"""NOTIFY channel: somebody waits for a segment that nobody has asked for before."""

WANTED_S = 3
"""How long a want outlives the last viewer who renewed it."""

OVERDUE_S = 1.0
"""The newest want is served first, but those before it that have waited for so long: else
somebody who seeks again and again keeps everybody else waiting."""

RENEWED_S = 1.25
"""Whose want was not renewed for so long has probably left, and has no claim to be early."""

LEFT_S = 1.5
"""How long a want outlives a viewer who was seen to leave: others may have it, too."""

AHEAD_AFTER_S = 0.3
"""What is wanted ahead leaves the first moments to viewers who are there already."""

AHEAD_KEPT_S = 3600
"""How long nothing better to do is waited for; the ladder has made them long before."""

LEASE_S = 5
ATTEMPTS = 3
_FORGOTTEN_S = 30
"""How long a failed want is remembered, so that players do not repeat it at once."""

_ASK = text(
    """
    INSERT INTO jit_want AS w
        (rendition_id, segment, project_id, asset_id, asked_at, wanted_until, attempts)
    VALUES (:rendition_id, :segment, :project_id, :asset_id, clock_timestamp(),
            clock_timestamp() + make_interval(secs => :wanted_s), 0)
    ON CONFLICT (rendition_id, segment) DO UPDATE SET
        wanted_until = greatest(w.wanted_until, excluded.wanted_until),
        asked_at = excluded.asked_at,
        failure = CASE WHEN w.wanted_until > clock_timestamp() THEN w.failure END,
        attempts = CASE WHEN w.wanted_until < clock_timestamp() THEN 0 ELSE w.attempts END
    RETURNING xmax = 0 AS is_new, owner IS NULL AS is_waiting, failure
    """
)
_RENEW = text(
    """
    UPDATE jit_want SET
        wanted_until = greatest(wanted_until,
                                clock_timestamp() + make_interval(secs => :wanted_s)),
        failure = CASE WHEN wanted_until > clock_timestamp() THEN failure END,
        attempts = CASE WHEN wanted_until < clock_timestamp() THEN 0 ELSE attempts END
     WHERE rendition_id = :rendition_id AND segment = :segment
    RETURNING false AS is_new, owner IS NULL AS is_waiting, failure
    """
)
_WAITING = text(
    """
    SELECT count(*) FROM jit_want
     WHERE wanted_until > clock_timestamp() AND failure IS NULL
       AND (owner IS NULL OR lease_until < clock_timestamp())
    """
)
_ASK_AHEAD = text(
    """
    INSERT INTO jit_want (rendition_id, segment, project_id, asset_id, asked_at, wanted_until,
                          attempts, ahead)
    VALUES (:rendition_id, :segment, :project_id, :asset_id, clock_timestamp(),
            clock_timestamp(), 0, true)
    ON CONFLICT DO NOTHING
    """
)
_LEFT_AHEAD = text(
    "SELECT EXISTS (SELECT FROM jit_want WHERE asset_id = :asset_id AND ahead AND failure IS NULL)"
)
_CLAIM = text(
    """
    UPDATE jit_want SET owner = :owner, attempts = attempts + 1,
           lease_until = clock_timestamp() + make_interval(secs => :lease_s)
     WHERE (rendition_id, segment) = (
        SELECT rendition_id, segment FROM jit_want
         WHERE failure IS NULL AND (owner IS NULL OR lease_until < clock_timestamp())
           AND (wanted_until > clock_timestamp()
                OR ahead AND asked_at < clock_timestamp() - make_interval(secs => :ahead_s))
         ORDER BY wanted_until > clock_timestamp() DESC,
                  CASE WHEN asked_at < clock_timestamp() - make_interval(secs => :overdue_s)
                        AND wanted_until > clock_timestamp() + make_interval(secs => :fresh_s)
                       THEN asked_at END,
                  asked_at DESC LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING rendition_id, segment, asset_id, attempts, wanted_until <= clock_timestamp()
    """
)
_RESERVE = text(
    """
    INSERT INTO jit_want AS w (rendition_id, segment, project_id, asset_id, asked_at,
                               wanted_until, attempts, owner, lease_until, ahead)
    SELECT rendition_id, segment + 1, project_id, asset_id, clock_timestamp(),
           clock_timestamp(), 0, owner, lease_until, ahead
      FROM jit_want
     WHERE rendition_id = :rendition_id AND segment = :segment AND owner = :owner
    ON CONFLICT (rendition_id, segment) DO UPDATE SET
        owner = excluded.owner, lease_until = excluded.lease_until
     WHERE w.failure IS NULL AND (w.owner IS NULL OR w.lease_until < clock_timestamp())
    RETURNING segment
    """
)
_KEEP = text(
    """
    WITH kept AS (
        UPDATE jit_want SET lease_until = clock_timestamp() + make_interval(secs => :lease_s)
         WHERE rendition_id = :rendition_id AND owner = :owner RETURNING wanted_until)
    SELECT max(wanted_until) > clock_timestamp() FROM kept
    """
)
_LEAVE = text(
    """
    UPDATE jit_want
       SET wanted_until = least(wanted_until, clock_timestamp() + make_interval(secs => :left_s))
     WHERE rendition_id = :rendition_id AND segment = :segment
    """
)
_DONE = text(
    "DELETE FROM jit_want WHERE rendition_id = :rendition_id AND segment BETWEEN :first AND :last"
)
_GIVE_BACK = text(
    """
    UPDATE jit_want SET owner = NULL, lease_until = NULL, failure = CAST(:failure AS varchar),
           attempts = CASE WHEN :given_up THEN 0 ELSE attempts END,
           wanted_until = CASE WHEN CAST(:failure AS varchar) IS NULL THEN wanted_until
                ELSE clock_timestamp() + make_interval(secs => :forgotten_s) END
     WHERE rendition_id = :rendition_id AND segment = :segment AND owner = :owner
    """
)
_LET_GO = text(
    """
    WITH unwanted AS (
        DELETE FROM jit_want WHERE rendition_id = :rendition_id AND owner = :owner
           AND segment <> :segment AND wanted_until <= clock_timestamp())
    UPDATE jit_want SET owner = NULL, lease_until = NULL
     WHERE rendition_id = :rendition_id AND owner = :owner
       AND segment <> :segment AND wanted_until > clock_timestamp()
    """
)
_FORGET = text(
    "DELETE FROM jit_want WHERE wanted_until < clock_timestamp() - make_interval(secs => :kept_s)"
    " AND (owner IS NULL OR lease_until < clock_timestamp())"
    " AND NOT (ahead AND asked_at > clock_timestamp() - make_interval(secs => :ahead_s))"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A segment that viewers of a rendition want."""

    project_id: UUID
    asset_id: UUID
    rendition_id: UUID
    segment: int


@dataclass(frozen=True, slots=True)
class Answer:
    """How a want stands: `waiting` for a worker, or why it cannot be had."""

    is_new: bool
    waiting: bool
    failure: str | None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to encode a want, for `LEASE_S` seconds from the last `keep`.

    `owner` is whoever encodes, in this one encode: what it reserves ends with it. `ahead`:
    nobody waited for it when it was claimed.
    """

    owner: str
    rendition_id: UUID
    segment: int
    asset_id: UUID
    attempt: int
    ahead: bool = False


async def ask(tx: Transaction, wanted: Wanted) -> Answer:
    """Want a segment for some seconds; the newest wish is served first."""
    row = await tx.execute(
        _ASK,
        {
            "rendition_id": wanted.rendition_id,
            "segment": wanted.segment,
            "project_id": wanted.project_id,
            "asset_id": wanted.asset_id,
            "wanted_s": WANTED_S,
        },
    )
    answer = Answer(*row.one())
    if answer.is_new or answer.waiting:
        await notify(tx, WANTED, "")
    return answer


async def ask_ahead(tx: Transaction, wanted: Wanted) -> None:
    """Want a segment for viewers who may come; the newest wish is served first."""
    given = {
        "rendition_id": wanted.rendition_id,
        "segment": wanted.segment,
        "project_id": wanted.project_id,
        "asset_id": wanted.asset_id,
    }
    await tx.execute(_ASK_AHEAD, given)
    await notify(tx, WANTED, "")


async def left_ahead(tx: Transaction, asset_id: UUID) -> bool:
    """Tell whether anything of an asset is wanted ahead that is not stored."""
    return bool(await tx.scalar(_LEFT_AHEAD, {"asset_id": asset_id}))


async def renew(tx: Transaction, wanted: Wanted) -> Answer | None:
    """Want a segment for some seconds more; None: nobody does any more, as it is stored."""
    given = {
        "rendition_id": wanted.rendition_id,
        "segment": wanted.segment,
        "wanted_s": WANTED_S,
    }
    row = (await tx.execute(_RENEW, given)).one_or_none()
    return None if row is None else Answer(*row)


async def leave(tx: Transaction, wanted: Wanted) -> None:
    """Say that a viewer has left; the want ends soon, unless others renew it."""
    given = {"rendition_id": wanted.rendition_id, "segment": wanted.segment, "left_s": LEFT_S}
    await tx.execute(_LEAVE, given)


async def waiting(tx: Transaction) -> int:
    """Return how many wants wait for a worker."""
    return int(await tx.scalar(_WAITING) or 0)


async def claim(tx: Transaction, owner: str) -> Lease | None:
    """Take the want that is served next, of those that nobody encodes; None: there is none."""
    given = {
        "owner": owner,
        "lease_s": LEASE_S,
        "overdue_s": OVERDUE_S,
        "fresh_s": WANTED_S - RENEWED_S,
        "ahead_s": AHEAD_AFTER_S,
    }
    row = (await tx.execute(_CLAIM, given)).one_or_none()
    if row is None:
        return None
    rendition_id, segment, asset_id, attempt, ahead = row
    return Lease(owner, rendition_id, segment, asset_id, attempt, ahead)


async def reserve(tx: Transaction, lease: Lease) -> bool:
    """Take the segment behind a leased one as well; False: others encode it, or cannot.

    Whoever asks for it from now on waits for this encode, and begins none of their own.
    """
    given = {"rendition_id": lease.rendition_id, "segment": lease.segment, "owner": lease.owner}
    return (await tx.execute(_RESERVE, given)).one_or_none() is not None


async def keep(tx: Transaction, lease: Lease) -> bool:
    """Renew a lease; tell whether anybody still wants the segment, or the reserved one."""
    given = {"lease_s": LEASE_S, "rendition_id": lease.rendition_id, "owner": lease.owner}
    return bool((await tx.execute(_KEEP, given)).scalar_one())


async def done(tx: Transaction, rendition_id: UUID, first: int, last: int) -> None:
    """Forget the wants of segments [first, last], which are stored."""
    await tx.execute(_DONE, {"rendition_id": rendition_id, "first": first, "last": last})


async def give_back(
    tx: Transaction, lease: Lease, failure: str | None = None, *, given_up: bool = False
) -> None:
    """End a lease without a segment; with a `failure` nobody else need try.

    An attempt that was `given_up` does not count as one. What was reserved beside it is free
    in any case: alone it may do.
    """
    given = {"rendition_id": lease.rendition_id, "segment": lease.segment, "owner": lease.owner}
    await tx.execute(_LET_GO, given)
    ending = {"failure": failure, "given_up": given_up, "forgotten_s": _FORGOTTEN_S}
    await tx.execute(_GIVE_BACK, {**given, **ending})
    await notify(tx, WANTED, "")


async def forget_old(tx: Transaction) -> None:
    """Delete wants that nobody has renewed for a while."""
    await tx.execute(_FORGET, {"kept_s": _FORGOTTEN_S, "ahead_s": AHEAD_KEPT_S})
