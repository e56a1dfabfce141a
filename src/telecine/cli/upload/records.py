"""What is remembered of unfinished uploads, so that they go on after a kill.

One JSON file for each server and path, below the user's state folder (XDG Base Directory
Specification: `$XDG_STATE_HOME`, else `~/.local/state`). It says which video a file belongs
to; which parts of it are there, only the server knows. For uploads by token, which may ask
for nothing, the parts that were answered are remembered as well.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from telecine import ids
from telecine.cli.upload.api import Video
from telecine.cli.upload.files import Identity
from telecine.processes.exits import CannotGoOn, Exit

VERSION = 1

Note = Callable[[str], None]


@dataclass(slots=True)
class Record:
    """An unfinished upload. `video` is None until the server has told it."""

    server: str
    path: str
    file: Identity
    part_bytes: int
    creation_key: str = field(default_factory=ids.nonce)
    """Under which the video is created: twice with the same key makes one."""

    video: Video | None = None
    answered: list[int] = field(default_factory=list)

    def to_json(self) -> str:
        """Return it as it is stored."""
        return json.dumps({"version": VERSION, **asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> "Record | None":
        """Return what was stored, None if it is of no use."""
        try:
            stored: dict[str, Any] = json.loads(text)
            if stored.pop("version") != VERSION:
                return None
            video = stored.pop("video")
            stored["file"] = Identity(**stored["file"])
            return cls(**stored, video=None if video is None else Video(**video))
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


class Held:
    """The place of one file's record, while nobody else uses it.

    `path` is None where nothing can be remembered; such an upload cannot be resumed.
    """

    def __init__(self, path: Path | None, note: Note) -> None:
        self._path = path
        self._note = note

    def load(self) -> Record | None:
        """Return what is remembered."""
        try:
            return None if self._path is None else Record.from_json(self._path.read_text())
        except (OSError, UnicodeDecodeError):
            return None

    def save(self, record: Record) -> None:
        """Remember durably."""
        if self._path is None:
            return
        partial = self._path.with_suffix(".part")
        try:
            with open(_private(partial), "w") as file:
                file.write(record.to_json())
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._path)
            _sync_folder(self._path.parent)
        except OSError as error:
            self._note(_unusable(self._path.parent, error))

    def drop(self) -> None:
        """Forget it: the upload is complete."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)


class Records:
    """The folder with the records of all unfinished uploads."""

    def __init__(self, folder: Path, note: Note) -> None:
        self._folder = folder
        self._note = note

    @contextmanager
    def hold(self, server: str, path: Path) -> Iterator[Held]:
        """Give the record of a file. Raises CannotGoOn if another command uploads it."""
        digest = hashlib.sha256(f"{server}\0{path}".encode(errors="surrogateescape"))
        record = self._folder / f"{digest.hexdigest()[:32]}.json"
        lock = record.with_suffix(".lock")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = _locked(lock)
        except OSError as error:
            self._note(_unusable(self._folder, error))
            yield Held(None, self._note)
            return
        try:
            yield Held(record, self._note)
        finally:
            with suppress(OSError):
                lock.unlink(missing_ok=True)  # while it is ours: who waits looks again
            os.close(descriptor)


def default_folder() -> Path:
    """Return where the records of this user are."""
    chosen = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not chosen.is_absolute():  # the specification: such a value is to be ignored
        chosen = Path("~/.local/state").expanduser()
    return chosen / "telecine" / "uploads"


def _locked(path: Path) -> int:
    """Return the descriptor of a file that is ours until it is closed."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    return descriptor
        except BlockingIOError as error:
            os.close(descriptor)
            msg = "Another command is uploading this file to the same server."
            raise CannotGoOn(Exit.FAILED, msg) from error
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its name was removed while we waited


def _private(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unusable(folder: Path, error: OSError) -> str:
    return (
        f"Unfinished uploads cannot be remembered in {folder} ({error.strerror}): if this one "
        "is stopped, it begins anew. XDG_STATE_HOME names another place."
    )
