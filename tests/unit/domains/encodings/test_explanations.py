"""What is told of failures is for people, and tells nothing of the machine."""

import pytest

from telecine.domains.encodings import explanations


@pytest.mark.parametrize(
    ("failure", "word"),
    [
        ("encrypted: the media is protected by DRM", "protected"),
        ("playlist: a.mp4: an HLS playlist", "list of other files"),
        ("RunnerError: stalled: no sign of life for 60 s", "sign of life"),
        ("too-complex: more than 2048 MiB: exit status 244", "memory"),
        ("KeyError: 'x'", "server"),
    ],
)
def test_a_failure_is_a_sentence(failure: str, word: str) -> None:
    said = explanations.plain(failure)
    assert word in said
    assert said.endswith(".")


def test_logs_are_short_and_name_no_folder() -> None:
    text = "\n".join(f"[h264 @ 0x55f00{n}] no frame in /srv/telecine/a{n}.mp4" for n in range(30))
    lines = explanations.log_lines(text + "\n" + "x" * 5000)
    assert len(lines) == 12
    assert lines[0] == "[h264] no frame in a19.mp4"
    assert len(lines[-1]) == 240


def test_fractions_and_addresses_of_the_web_stay() -> None:
    text = "30000/1001 fps, https://example.org/a/b, N/A"
    assert explanations.cleaned(text) == text
