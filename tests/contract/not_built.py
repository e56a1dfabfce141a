"""Parts of the official suites that ask for operations that do not exist yet.

Each entry names what it waits for. `test_official_suites.py` fails as soon as that
exists, so an entry cannot outlive its reason.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NotBuilt:
    """`tests`: a group of the Node suite or a method of the Python suite."""

    tests: str
    waits_for: str


NODE_SUITE: tuple[NotBuilt, ...] = ()

PYTHON_SUITE: tuple[NotBuilt, ...] = ()
