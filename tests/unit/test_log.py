import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from telecine import log
from telecine.log import MASK, masked


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def fail(reason: object) -> None:
    raise ValueError(reason)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer abc.d-e_f", f"Authorization: Bearer {MASK}"),
        ("authorization basic dXNlcjo=", f"authorization basic {MASK}"),
        ("/vod/vi1/token/3fa85f64-5717/hls/x.ts", f"/vod/vi1/token/{MASK}/hls/x.ts"),
        ("/live/private/3fa85f64/li1.m3u8", f"/live/private/{MASK}/li1.m3u8"),
        ("/x?avh=aaa&b=1&token=bbb", f"/x?avh={MASK}&b=1&token={MASK}"),
        ("postgresql://u:p4ss@h:5432/db", f"postgresql://u:{MASK}@h:5432/db"),
        ("?X-Amz-Signature=00ff&X-Amz-Date=1", f"?X-Amz-Signature={MASK}&X-Amz-Date=1"),
        ("http://h:80/a@b", "http://h:80/a@b"),
        ("a bearer of news", f"a bearer {MASK} news"),
        ("tokens=5 are left", "tokens=5 are left"),
    ],
)
def test_secrets_in_text_are_masked(text: str, expected: str) -> None:
    assert masked(text) == expected


def test_lines_are_json_and_masked(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("json", "info", process="api-0")
    structlog.get_logger().info("asked", path="/x?token=abc", stream_key="s3cret", n=1)
    logging.getLogger("some.library").warning("of %s", "a library: Bearer abc")
    try:
        fail("/private/abc")
    except ValueError:
        structlog.get_logger().exception("broken")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    own, foreign, broken = lines
    assert own["event"] == "asked"
    assert (own["path"], own["stream_key"], own["n"]) == (f"/x?token={MASK}", MASK, 1)
    assert {line["process"] for line in lines} == {"api-0"}
    assert foreign["event"] == f"of a library: Bearer {MASK}"
    assert f"ValueError: /private/{MASK}" in broken["exception"]


def test_less_important_lines_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("json", "warning")
    structlog.get_logger().info("quiet")
    logging.getLogger("uvicorn.error").info("quiet")
    structlog.get_logger().warning("loud")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["loud"]


def test_people_get_plain_lines_without_local_variables(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.configure("console", "info")
    try:
        fail(len("a local variable"))
    except ValueError:
        structlog.get_logger().exception("broken")
    said = capsys.readouterr().err
    assert "broken" in said
    assert "ValueError: 16" in said
    assert "reason = " not in said
