"""Migrations follow one another in one line, also when two of them were written at a time."""

import ast

from tests.architecture.sources import SRC, tree

VERSIONS = SRC / "db" / "migrations" / "versions"


def test_every_migration_but_the_first_follows_another_one_alone() -> None:
    follows: dict[object, object] = {}
    for path in sorted(VERSIONS.glob("*.py")):
        named = {
            node.targets[0].id: ast.literal_eval(node.value)
            for node in tree(path).body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id in ("revision", "down_revision")
        }
        assert path.name.startswith(f"{named['revision']}_"), path.name
        follows[named["revision"]] = named["down_revision"]
    revisions = sorted(follows, key=str)
    assert [follows[each] for each in revisions] == [None, *revisions[:-1]]
