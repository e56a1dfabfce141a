"""The signing snippets of the documentation, run as they stand there."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from telecine import clock
from telecine.domains.videos.signatures import Signature
from tests.contract import packages

PAGE = (Path(__file__).parents[2] / "docs/reference/private-videos.md").read_text()
KEY, SECRET, MEDIA = "sk" + "0" * 22, "s" * 43, "vi1"
BOUND = ["", ""], ["2001:db8::1", "shop.example"]


def snippet(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def check(token: str, address: str, host: str) -> None:
    signature = Signature.parse(token)
    assert signature is not None
    assert signature.verify(SECRET, MEDIA, clock.now())
    assert (signature.key_id, signature.address, signature.host) == (KEY, address, host)
    left_s = (signature.expires_at - clock.now()).total_seconds()
    assert 0 < left_s <= 60


def test_the_python_snippet_signs() -> None:
    names: dict[str, Any] = {}
    exec(snippet("python"), names)
    for bound in BOUND:
        check(names["signed"](KEY, SECRET, MEDIA, 60, *bound), *bound)


@pytest.mark.node
def test_the_node_snippet_signs(tmp_path: Path) -> None:
    script = tmp_path / "sign.cjs"
    given = ", ".join(json.dumps([KEY, SECRET, MEDIA, 60, *bound]) for bound in BOUND)
    script.write_text(
        f"{snippet('js')}\nfor (const each of [{given}]) console.log(signed(...each));\n"
    )
    output = packages.run([packages.node_program("node"), script], env=packages.node_environment())
    for token, bound in zip(output.split(), BOUND, strict=True):
        check(token, *bound)
