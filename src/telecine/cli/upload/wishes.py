"""What the command line can ask for besides files."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from telecine.cli.upload import cutting


class Wait(enum.StrEnum):
    """How long the command stays with a video that it has uploaded."""

    NONE = "none"
    PLAYABLE = "playable"
    ENCODED = "encoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How files are sent. `title` is None for the file's own name."""

    title: str | None = None
    tags: Sequence[str] = ()
    tag_folder: bool = False
    part_bytes: int = cutting.PART_MIB * cutting.MIB
    parallel: int = 4
    resume: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where the API is, and what opens it: a key or an upload token.

    With the operator's key the reasons of failures can be told.
    """

    base_url: str
    key: str | None = None
    token: str | None = None
    operator_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How to upload, and what to tell of it. `wait` None: as long as can be."""

    options: Options = Options()
    wait: Wait | None = None
    json: bool = False
    open_page: bool = False
    retry_for_s: float = 600.0
