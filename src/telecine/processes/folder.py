"""The data folder: whose it is, what lies where, how much room there is."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from telecine import ids
from telecine.processes.exits import CannotGoOn, Exit
from telecine.storage.local import LocalStore

_MIB = 1 << 20


class DataFolder:
    """Everything that one machine keeps."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def metrics(self) -> Path:
        """The folder in which processes share their metrics; emptied at each start."""
        return self.path / "run" / "metrics"

    def prepare(self, *, claimed: bool) -> None:
        """Make the folder; `claimed`: it is ours alone, so drop what a dead run left.

        Raises:
            CannotGoOn: it cannot be made or written.
        """
        try:
            # 711: the account of the database server passes through to its own folder.
            self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
            if claimed:
                shutil.rmtree(self.path / "run", ignore_errors=True)
            self.metrics.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            msg = f"The data folder {self.path} cannot be used: {error.strerror}."
            raise CannotGoOn(Exit.FOLDER_UNUSABLE, msg) from error

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the folder: no other Telecine may run on it.

        Raises:
            CannotGoOn: another one does, or the folder cannot be written.
        """
        try:
            self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
            lock = (self.path / "telecine.lock").open("a+")
        except OSError as error:
            msg = f"The data folder {self.path} cannot be used: {error.strerror}."
            raise CannotGoOn(Exit.FOLDER_UNUSABLE, msg) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                msg = (
                    f"Another Telecine{_owner(self.path)} already runs on the data folder "
                    f"{self.path}. Stop it, or choose another folder with --data or TELECINE_DATA."
                )
                raise CannotGoOn(Exit.FOLDER_LOCKED, msg) from None
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield

    def is_claimed(self) -> bool:
        """Return whether a Telecine runs on this folder."""
        try:
            with (self.path / "telecine.lock").open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except BlockingIOError:
            return True
        return False

    def free_mib(self) -> int:
        """Return the MiB that are left on the folder's disk."""
        existing = next(p for p in (self.path, *self.path.parents) if p.exists())
        return shutil.disk_usage(existing).free // _MIB

    def check_room(self, reserve_mib: int) -> None:
        """Check that there is room to work.

        Raises:
            CannotGoOn: less than `reserve_mib` is free.
        """
        free_mib = self.free_mib()
        if free_mib < reserve_mib:
            msg = (
                f"Only {free_mib} MiB are free for {self.path}; {reserve_mib} MiB are needed "
                "(TELECINE_DISK_RESERVE_MIB). Make room and start again."
            )
            raise CannotGoOn(Exit.DISK_FULL, msg)

    def has(self, name: str) -> bool:
        """Tell whether the folder has a file of this name."""
        return (self.path / name).exists()

    def secret(self, name: str) -> str:
        """Return the secret in the file `name`, made on first use, for our eyes only."""
        path = self.path / name
        if not path.exists():
            draft = path.with_name(f"{name}.{ids.nonce()}")
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "w") as file:
                file.write(ids.secret() + "\n")
                file.flush()
                os.fsync(file.fileno())
            draft.rename(path)
        return path.read_text().strip()


def prepare_store(url: str, *, claimed: bool) -> None:
    """Make the folder of a store on this machine's disk.

    `claimed`: nobody else writes, so drop what a killed run had only half written.

    Raises:
        CannotGoOn: it cannot be made or written.
    """
    parts = urlsplit(url)
    if parts.scheme != "file":
        return
    folder = Path(unquote(parts.path))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if claimed:
            LocalStore(folder).clear_stage()
    except OSError as error:
        msg = f"The storage folder {folder} cannot be used: {error.strerror}."
        raise CannotGoOn(Exit.FOLDER_UNUSABLE, msg) from error
    if not os.access(folder, os.W_OK):
        msg = f"The storage folder {folder} cannot be written."
        raise CannotGoOn(Exit.FOLDER_UNUSABLE, msg)


def _owner(folder: Path) -> str:
    with contextlib.suppress(OSError):
        pid = (folder / "telecine.lock").read_text().strip()
        if pid:
            return f" (process {pid})"
    return ""
