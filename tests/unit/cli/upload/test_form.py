from pathlib import Path

import pytest

from telecine.cli.upload import form
from telecine.cli.upload.cutting import Piece
from telecine.cli.upload.files import opened
from telecine.cli.upload.form import Form, quotable
from tests.unit.cli.upload.fake_server import parse

pytestmark = pytest.mark.anyio


async def test_a_body_is_read_in_small_pieces_and_has_the_length_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(form, "READ_BYTES", 7)
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(range(100)))
    sent: list[int] = []
    with opened(path) as file:
        made = Form(file, Piece(2, 3, 40, 40), "é.mp4", {"videoId": "vi1"}, sent.append)
        chunks = [chunk async for chunk in made]
    body = b"".join(chunks)
    assert made.headers["Content-Length"] == str(len(body))
    assert made.headers["Content-Range"] == "part 2/3"
    fields, name, data = parse(made.headers["Content-Type"], body)
    assert (fields, name, data) == ({"videoId": "vi1"}, "é.mp4", bytes(range(40, 80)))
    assert sent == [7, 7, 7, 7, 7, 5]
    assert max(map(len, chunks[1:-1])) == 7


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a b.mp4", "a b.mp4"),
        ('say "hi".mp4', 'say \\"hi\\".mp4'),
        ("a\\b", "a\\\\b"),
        ("a\r\nX: y", "a  X: y"),
        ("a\udcff", "a "),
    ],
)
def test_a_name_cannot_leave_its_quotes(name: str, expected: str) -> None:
    assert quotable(name) == expected
