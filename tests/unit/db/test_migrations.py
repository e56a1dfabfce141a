"""Migrations are one line, whoever added the last one."""

import re
from itertools import pairwise
from pathlib import Path

import telecine.db.migrations

_NAMED = re.compile(r'^(down_revision|revision) = (?:"(\d{4})"|None)$', re.MULTILINE)


def test_each_follows_the_one_before() -> None:
    folder = Path(telecine.db.migrations.__path__[0]) / "versions"
    files = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    told = [dict(_NAMED.findall(path.read_text())) for path in files]
    assert [each["revision"] for each in told] == [path.name[:4] for path in files]
    assert told[0]["down_revision"] == ""
    for before, after in pairwise(told):
        assert after["down_revision"] == before["revision"]
