"""Keys with which customers sign URLs of private media: reads and changes."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select

from telecine import ids
from telecine.db.engine import Transaction
from telecine.db.notify import notify
from telecine.domains.accounts.models import Project, SigningKey
from telecine.domains.accounts.operations import PROJECT_CHANGED
from telecine.problems import not_found, problem
from telecine.sealing import Sealer

PREFIX = "sk"
MOST = 10
"""Keys of one environment of a project: some in use, the others to change to."""


async def of_project(tx: Transaction, project_id: UUID) -> Sequence[SigningKey]:
    """Return the keys of one environment of a project, oldest first."""
    rows = select(SigningKey).where(SigningKey.project_id == project_id).order_by(SigningKey.id)
    return (await tx.scalars(rows)).all()


async def listed(tx: Transaction, project_public_id: str) -> Sequence[tuple[SigningKey, str]]:
    """Return the keys of both environments of a project, each with its environment."""
    found = await tx.execute(
        select(SigningKey, Project.environment)
        .join(Project, Project.id == SigningKey.project_id)
        .where(Project.public_id == project_public_id)
        .order_by(SigningKey.id)
    )
    return [(row[0], row[1]) for row in found]


async def create(
    tx: Transaction, project: Project, name: str, sealer: Sealer
) -> tuple[SigningKey, str]:
    """Create a key and return it with its secret, which is not shown again.

    Raises:
        Problem: 400, there are MOST keys.
    """
    # Locked, so that two requests at once do not pass the limit.
    await tx.execute(select(Project.id).where(Project.id == project.id).with_for_update())
    count = select(func.count()).where(SigningKey.project_id == project.id)
    if (await tx.scalar(count) or 0) >= MOST:
        title = f"There are {MOST} signing keys; delete one that nobody uses."
        raise problem(400, "signing-key-limit-reached", title)
    public_id, secret = ids.public_id(PREFIX), ids.secret()
    key = SigningKey(
        public_id=public_id,
        project_id=project.id,
        name=name,
        sealed_secret=sealer.seal(secret, public_id),
    )
    tx.add(key)
    await tx.flush()
    await tx.refresh(key)
    await notify(tx, PROJECT_CHANGED, project.public_id)
    return key, secret


async def delete(tx: Transaction, project_public_id: str, public_id: str) -> None:
    """Delete a key; what it has signed opens nothing from now on. Raises Problem 404."""
    halves = select(Project.id).where(Project.public_id == project_public_id)
    rows = select(SigningKey).where(
        SigningKey.public_id == public_id, SigningKey.project_id.in_(halves)
    )
    key = await tx.scalar(rows.with_for_update())
    if key is None:
        raise not_found("signingKeyId")
    await tx.delete(key)
    await notify(tx, PROJECT_CHANGED, project_public_id)
