"""What a program answers that sums up: JSON, judged before it is believed."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from telecine.domains.words.commands import CommandError

MAX_BYTES = 1 << 20
LEAST_WORDS = 50
"""With fewer there is nothing to sum up."""

_MOST_TAKEAWAYS = 3
_MOST_CHARACTERS = 20_000


# Kana and Chinese characters, which are written without spaces.
_CHARACTER = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a summary."""

    abstract: str
    takeaways: list[str]


def count(text: str) -> int:
    """Return how many words there are in a text; in Chinese and Japanese, characters."""
    characters = len(_CHARACTER.findall(text))
    return len(_CHARACTER.sub(" ", text).split()) + characters


def words_of(answer: bytes, wanted: Collection[str]) -> Words:
    """Read an answer, and leave out what is not wanted; see docs/reference/transcripts.md.

    Raises:
        CommandError: it is not what a summary consists of.
    """
    try:
        value = json.loads(answer.decode())
    except (ValueError, RecursionError) as error:
        raise _wrong(f"it is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise _wrong("it is no JSON object")
    abstract = _text(value, "abstract") if "abstract" in wanted else ""
    takeaways = _texts(value) if "takeaways" in wanted else []
    return Words(abstract, takeaways)


def _texts(value: Mapping[str, Any]) -> list[str]:
    found = value.get("takeaways")
    if not isinstance(found, list) or not 1 <= len(found) <= _MOST_TAKEAWAYS:
        raise _wrong(f"`takeaways` is no list of one to {_MOST_TAKEAWAYS} texts")
    return [_text({"takeaways": each}, "takeaways") for each in found]


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    text = found.strip() if isinstance(found, str) else ""
    if not text or "\0" in text or len(text) > _MOST_CHARACTERS:
        raise _wrong(f"`{name}` is no text of 1 to {_MOST_CHARACTERS} characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _wrong(f"`{name}` has half a character") from None
    return text


def _wrong(detail: str) -> CommandError:
    return CommandError("command-output", detail)
