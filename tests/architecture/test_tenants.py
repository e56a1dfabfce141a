"""Every statement on a table of tenants starts from a project.

What this reads is the text of functions, so it overlooks much; it is there to make
whoever forgets the project think. Every operation is also called with another
project's ids.
"""

import ast
from collections.abc import Iterator

from tests.architecture.sources import SRC, Function, calls, dotted, functions, place, tree

STATEMENTS = {"select", "update", "delete"}

FILES = sorted((SRC / "domains").rglob("*.py"))
MODELS = [path for path in FILES if path.name == "models.py"]

BY_ROW_KEY = {
    "accounts/queries.py",  # finds the project of a key: nothing else can
    "encodings/operations.py",  # all five of encodings: by keys of rows that a video or
    "encodings/queries.py",  # a job named, and a video is found in its project first
    "encodings/recording.py",
    "encodings/growing.py",
    "encodings/schedule.py",
    "sources/operations.py",  # likewise: of a source that was found by its video
    "sources/queries.py",
    "live_streams/broadcasting.py",  # of a stream that its key named, or an event's own rows
    "accounts/sweeps.py",  # all sweeps: garbage of whatever project
    "encodings/sweeps.py",
    "live_streams/sweeps.py",
    "sources/sweeps.py",
    "watermarks/sweeps.py",
    "videos/orphans.py",
}


def tenant_models() -> set[str]:
    """Return the classes that have a column `project_id`."""
    return {
        node.name
        for path in MODELS
        for node in tree(path).body
        if isinstance(node, ast.ClassDef)
        and any(
            isinstance(each, ast.AnnAssign) and dotted(each.target) == "project_id"
            for each in node.body
        )
    }


def statements(function: Function, models: set[str]) -> Iterator[ast.Call]:
    for call, name in calls(function):
        of = {dotted(each).split(".")[0] for each in call.args}
        if name.rpartition(".")[2] in STATEMENTS and of & models:
            yield call


def test_statements_filter_by_project() -> None:
    models = tenant_models()
    assert "Video" in models
    found = [
        f"{place(path, call)} {function.name}"
        for path in FILES
        if path.relative_to(SRC / "domains").as_posix() not in BY_ROW_KEY
        for function in functions(path)
        for call in statements(function, models)
        if "project" not in ast.unparse(function)
    ]
    assert found == []
