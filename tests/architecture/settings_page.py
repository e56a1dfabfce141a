"""Writes docs/operations/settings.md: `python -m tests.architecture.settings_page`."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from telecine.settings import Settings, environment_name
from tests.architecture.sources import ROOT

PAGE = ROOT / "docs" / "operations" / "settings.md"

HEAD = """\
# Settings

A setting is taken from the first of these that has it:

1. a flag of the command, where it has one (`--data`, `--host`, `--port`);
2. the environment;
3. for secrets, the file that `<NAME>_FILE` in the environment names;
4. the same two in `.env` in the working directory;
5. `telecine.toml` there, in which names are lower case and without `TELECINE_`.

An empty value counts as none. A name that begins with `TELECINE_` and is not in this list
ends the program with status 10, and so does a value that is wrong. Everything is read at the
start only. `telecine config` prints what holds, with secrets masked.

| name | default | |
|---|---|---|
"""

FOOT = """
Credentials of a bucket are the usual ones of its kind: `AWS_ACCESS_KEY_ID`,
`AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`; `GOOGLE_...`; `AZURE_...`.
"""


def rows(name: str, field: FieldInfo) -> Iterator[tuple[str, str, str]]:
    """Yield name, default and meaning; of a group, one row for each of its settings."""
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for inner, its_field in kind.model_fields.items():
            yield from rows(f"{name}__{inner.upper()}", its_field)
        return
    yield name, default(field), str(field.description)


def default(field: FieldInfo) -> str:
    """Return the default as it is typed; one that is worked out is in the description."""
    value: Any = field.default
    if value in (None, PydanticUndefined, "", ()):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def escaped(text: str) -> str:
    """Return text for a cell of a table."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")


def page() -> str:
    """Return the whole page."""
    lines = [
        f"| `{name}` | {shown} | {escaped(meaning)} |\n"
        for field_name, field in Settings.model_fields.items()
        for name, shown, meaning in rows(environment_name(field_name), field)
    ]
    return HEAD + "".join(lines) + FOOT


if __name__ == "__main__":
    PAGE.write_text(page())
