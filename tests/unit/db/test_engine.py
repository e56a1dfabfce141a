import errno

import pytest
from psycopg.errors import DiskFull, OutOfMemory
from sqlalchemy.exc import OperationalError

from telecine.db.engine import is_out_of_space
from telecine.storage.store import OutOfSpace, StoreError

FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    "error",
    [
        FULL,
        OSError(errno.EDQUOT, "Quota exceeded"),
        OutOfSpace("a"),
        DiskFull(),
        OperationalError("INSERT", {}, DiskFull()),
        ExceptionGroup("several", [ValueError(), ExceptionGroup("inside", [FULL])]),
    ],
)
def test_a_full_disk_is_known_by_any_name(error: BaseException) -> None:
    assert is_out_of_space(error)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EIO, "Input/output error"),
        TimeoutError(),
        StoreError("a"),
        OutOfMemory(),
        OperationalError("INSERT", {}, OutOfMemory()),
        ExceptionGroup("several", [ValueError()]),
    ],
)
def test_other_failures_are_not_taken_for_it(error: BaseException) -> None:
    assert not is_out_of_space(error)
