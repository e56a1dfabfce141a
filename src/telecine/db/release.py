"""Which schemas this release runs on, told without loading what migrates them.

Schemas follow expand and contract: a release adds what it needs, and what its
predecessor used goes with the release after it. So a program of schema release n works
on the schemas of n and of n + 1, and a cluster can be upgraded node by node.
"""

import enum
import re
from importlib import resources

RELEASE = 1
"""The schema release of this program; every revision tells its own (`release`).

Counted up once for each release of Telecine that brings revisions.
"""

SCHEMA_OF = "SELECT a.version_num, r.release FROM alembic_version a, schema_release r"
"""Reads a database's revision and schema release, as `fit` wants them."""

_REVISION_FILE = re.compile(r"(\d{4})_\w+\.py")


class Fit(enum.Enum):
    """What a database's schema is to this program."""

    OLDER = enum.auto()
    """It has to be migrated first."""
    SAME = enum.auto()
    NEXT = enum.auto()
    """Of the next release, which left what this one needs."""
    TOO_NEW = enum.auto()


def newest_revision() -> str:
    """Return the schema's newest revision by the names of the migrations' files."""
    folder = resources.files("telecine.db") / "migrations" / "versions"
    found = [_REVISION_FILE.fullmatch(file.name) for file in folder.iterdir()]
    return max(match[1] for match in found if match)


def fit(revision: str, release: int) -> Fit:
    """Tell whether this program runs on a schema of that revision and release."""
    newest = newest_revision()
    if revision <= newest:
        return Fit.SAME if revision == newest else Fit.OLDER
    return Fit.NEXT if release <= RELEASE + 1 else Fit.TOO_NEW
