"""The verification snippets of the documentation, run as they stand there."""

import json
import re
from pathlib import Path

import pytest

from telecine import clock
from telecine.domains.webhooks import signing
from tests.contract import packages

PAGE = (Path(__file__).parents[2] / "docs/reference/webhooks.md").read_text()
SECRET = signing.PREFIX + "0000000000000000000000"
BODY = b'{"type":"video.playable","title":"Gr\xc3\xb6\xc3\x9fe"}'


def snippet(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def cases() -> list[tuple[str, bytes, bool]]:
    now_s = clock.unix_ms() // 1000
    right = signing.timed_signature(SECRET, BODY, now_s)
    old = signing.timed_signature(SECRET, BODY, now_s - 1000)
    moved = right.replace(f"t={now_s}", f"t={now_s + 1}")
    return [(right, BODY, True), (right, BODY + b" ", False), (old, BODY, False),
            (moved, BODY, False), (right[:-2], BODY, False)]  # fmt: skip


def test_the_python_snippet_tells_right_from_wrong() -> None:
    names: dict[str, object] = {}
    exec(snippet("python"), names)
    verified = names["verified"]
    assert callable(verified)
    for header, body, expected in cases():
        assert verified(SECRET, header, body) is expected, header


@pytest.mark.node
def test_the_node_snippet_tells_right_from_wrong(tmp_path: Path) -> None:
    given = [[header, body.decode(), expected] for header, body, expected in cases()]
    script = tmp_path / "verify.cjs"
    script.write_text(
        f"{snippet('js')}\n"
        f"for (const [header, body, expected] of {json.dumps(given)}) {{\n"
        f"  if (verified({json.dumps(SECRET)}, header, Buffer.from(body)) !== expected)"
        " throw new Error(header);\n}\n"
    )
    packages.run([packages.node_program("node"), script], env=packages.node_environment())
