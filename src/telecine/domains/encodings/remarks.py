"""What is wrong with a source that plays all the same."""

from uuid import UUID

from telecine.db.engine import Transaction
from telecine.domains.encodings.queries import lock_asset


async def remark(tx: Transaction, asset_id: UUID, what: str) -> None:
    """Note once what is wrong with a source that plays all the same."""
    asset = await lock_asset(tx, asset_id)
    if asset is not None and what not in asset.remarks:
        asset.remarks = [*asset.remarks, what]
