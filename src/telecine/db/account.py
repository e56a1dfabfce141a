"""PostgreSQL refuses to run as root: the account it runs as instead."""

import asyncio
import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from telecine.db.launcher import CAP_DAC_READ_SEARCH

NAME = "telecine"


class EmbeddedError(Exception):
    """The embedded server cannot run; the message tells a person what to do."""


class AccountError(EmbeddedError):
    """Root has no account for the database server, or one that cannot reach it."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs the server. `search`: may pass folders that only root may enter."""

    uid: int
    gid: int
    search: bool = False


async def ensure(name: str = NAME) -> Account:
    """Return the system account `name`, made when absent.

    Raises:
        AccountError: the account could not be made.
    """
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        await _create(name)
        found = pwd.getpwnam(name)
    return Account(found.pw_uid, found.pw_gid)


async def _create(name: str) -> None:
    useradd = shutil.which("useradd", path=os.defpath + ":/usr/sbin:/sbin")
    if useradd is None:
        raise AccountError(_advice(f"there is no account {name!r} and no useradd to make it"))
    child = await asyncio.create_subprocess_exec(
        useradd,
        *("--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"),
        *("--shell", "/usr/sbin/nologin", name),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await child.communicate()
    # 9: the name is taken, by another process of ours that came first.
    if child.returncode not in (0, 9):
        raise AccountError(_advice(f"useradd failed: {output.decode(errors='replace').strip()}"))


def blocked_folder(path: Path, account: Account) -> Path | None:
    """Return the outermost folder on the way to `path` that `account` may not enter."""
    for folder in (*reversed(path.parents), path):
        status = folder.stat()
        if status.st_uid == account.uid:
            bit = 0o100
        elif status.st_gid == account.gid:
            bit = 0o010
        else:
            bit = 0o001
        if not status.st_mode & bit:
            return folder
    return None


def reaching(account: Account, paths: list[Path]) -> Account:
    """Return `account` with what it needs to reach `paths` (folders).

    Modes of folders that are not ours stay as they are: loosening /root would
    open far more than the database. Instead the server keeps the one capability
    that lets it search folders, where root itself has it (containers often drop
    it). It connects clients only over a socket below the data folder, whose
    users are root and the server, and our role in it is not a superuser.

    Raises:
        AccountError: a folder is closed and root cannot pass the capability on.
    """
    for path in paths:
        blocked = blocked_folder(path, account)
        if blocked is not None:
            if _has_capability(CAP_DAC_READ_SEARCH):
                return Account(account.uid, account.gid, search=True)
            reason = (
                f"{path} cannot be reached by the account of the database server (uid "
                f"{account.uid}): {blocked} has mode {blocked.stat().st_mode & 0o777:o}. "
                "Choose a data folder outside of it"
            )
            raise AccountError(_advice(reason))
    return account


def _has_capability(number: int) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def _advice(reason: str) -> str:
    return f"{reason}, or start Telecine as an ordinary user, or set DATABASE_URL."
