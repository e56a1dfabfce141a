import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError

from telecine.db.engine import Database

pytestmark = pytest.mark.anyio

SECRET = "what-nobody-may-read-in-a-log"


async def test_errors_do_not_tell_what_was_passed(db: Database) -> None:
    with pytest.raises(DataError) as failed:
        async with db.transaction() as tx:
            await tx.execute(text("SELECT 1 / (length(:secret) - :n)"), {"secret": SECRET, "n": 29})
    assert "division by zero" in str(failed.value)
    assert SECRET not in str(failed.value)
    assert SECRET not in repr(failed.value)


async def test_errors_of_many_rows_do_not_either(db: Database) -> None:
    rows = [{"secret": SECRET, "n": n} for n in (1, 29)]
    with pytest.raises(DataError) as failed:
        async with db.transaction() as tx:
            await tx.execute(text("SELECT 1 / (length(:secret) - :n)"), rows)
    assert SECRET not in str(failed.value)
