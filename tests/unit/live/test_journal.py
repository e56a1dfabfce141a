"""What a killed process left of an event, and that it goes on from there."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pytest

from telecine.delivery.live_playlists import Rendered
from telecine.formats.hls.check_live import check_live, check_live_update
from telecine.formats.mp4.multitrack import whole_fragments
from telecine.live.journal import SUFFIX, History, Journal, JournalError, read
from telecine.live.model import Ended, Init, Output, Part, Targets
from telecine.live.packager import Packager
from telecine.live.ports import RecordingPlace
from telecine.live.recording_file import File
from telecine.live.window import Window
from telecine.storage.local import LocalStore
from tests.unit.live.test_packager import (
    AUDIO,
    VIDEO,
    Sent,
    merged,
    parts,
    pictures,
    run,
    sounds,
)

PLACE = RecordingPlace(UUID(int=1), "live/1")
SESSION = "0" * 12
HOUR_MS = 3_600_000


def sent(seconds: float) -> list[Output]:
    return run(Packager(200), encoded(seconds))


def encoded(seconds: float) -> list[Sent]:
    return [(0, VIDEO), (0, AUDIO), *merged(pictures(30, seconds), sounds(seconds))]


def written(folder: Path, outputs: Sequence[Output]) -> File:
    """Write all that was packaged, as a recorder does; nothing is closed."""
    journal, file = Journal(SESSION), None
    for output in outputs:
        if isinstance(output, Init):
            opening = journal.opening(output)
            file = File.create(LocalStore(folder), PLACE, output.data, opening)
        elif file is not None and isinstance(output, Part):
            file.append(output, journal.part(output))
        elif file is not None and isinstance(output, Targets):
            file.tell(journal.promise(output))
    assert file is not None
    return file


def found(folder: Path) -> History:
    return read(folder / PLACE.key, PLACE)


def seen(outputs: Sequence[Output]) -> Window:
    window = Window(SESSION, HOUR_MS)
    for output in outputs:
        window.take(output)
    return window


def playlist(window: Window) -> str:
    text = Rendered().body(window, skip=False, coding=None, public_id="li1").decode()
    assert check_live(text) == [], text
    return text


@pytest.mark.parametrize("lost_bytes", [0, 1, 300])
def test_an_event_goes_on_behind_its_last_whole_part(tmp_path: Path, lost_bytes: int) -> None:
    outputs = sent(9.3)
    file = written(tmp_path, outputs)
    path = tmp_path / PLACE.key
    whole = parts(outputs) if lost_bytes == 0 else parts(outputs)[:-1]
    with path.open("r+b") as torn:
        torn.truncate(file.size_bytes - lost_bytes)
    with path.with_name(path.name + SUFFIX).open("ab") as torn:
        torn.write(b"[3,1,")  # it died inside a line, too
    history = found(tmp_path)
    assert history.end_ms == sum(part.duration_ms for part in whole)
    window = history.window(HOUR_MS)
    assert [each.data for each in window.segments[-1].parts] == [
        part.data for part in whole if part.msn == whole[-1].msn
    ]
    before = playlist(
        seen([each for each in outputs if not isinstance(each, Part) or each in whole])
    )
    assert check_live_update(before, playlist(window)) == []

    goes_on, packager = File.left(LocalStore(tmp_path), history), Packager(200, history.position)
    journal, inits = history.journal(), 0
    for output in [*run(packager, encoded(5)), *packager.end()]:
        window.take(output)
        inits += isinstance(output, Init)
        if isinstance(output, Part):
            goes_on.append(output, journal.part(output))
        text = playlist(window)
        assert isinstance(output, Ended) or check_live_update(before, text) == []
        before = text
    assert inits == 0  # nothing changed: one file
    assert [each.discontinuity for each in window.segments].count(True) == 1
    again = found(tmp_path)
    assert [each.msn for each in again.segments] == [each.msn for each in window.segments]
    data = path.read_bytes()
    assert whole_fragments(data).size_bytes == len(data) == goes_on.size_bytes
    assert whole_fragments(data).duration_s == pytest.approx(again.end_ms / 1000, abs=0.3)
    goes_on.close()
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_old_segments_are_read_from_the_file(tmp_path: Path) -> None:
    outputs = sent(40)
    written(tmp_path, outputs)
    window = found(tmp_path).window(HOUR_MS)
    first, last = window.segments[0], window.segments[-1]
    assert first.parts == []
    assert last.parts
    assert first.place is not None
    data = (tmp_path / PLACE.key).read_bytes()
    at = first.place.offset
    assert data[at : at + first.place.size_bytes] == b"".join(
        part.data for part in parts(outputs) if part.msn == first.msn
    )
    short = found(tmp_path).window(10_000)
    assert short.segments[0].msn > 0
    assert short.segments[-1].msn == last.msn


def test_promises_are_made_up_where_no_segment_was_over(tmp_path: Path) -> None:
    outputs = sent(1.2)
    written(tmp_path, outputs)
    assert not any(isinstance(each, Targets) for each in outputs)
    history = found(tmp_path)
    assert history.targets.part_ms >= max(part.duration_ms for part in parts(outputs))
    playlist(history.window(HOUR_MS))


@pytest.mark.parametrize("journal", [b"", b"\x00\x00\n", b"{}\n", b"[1]\n[2]\n"])
def test_what_cannot_be_read_is_told(tmp_path: Path, journal: bytes) -> None:
    written(tmp_path, sent(3))
    (tmp_path / (PLACE.key + SUFFIX)).write_bytes(journal)
    with pytest.raises(JournalError):
        found(tmp_path)


def test_a_disk_that_is_full_ends_the_journal(tmp_path: Path) -> None:
    file = written(tmp_path, sent(3))
    file.forget()
    with pytest.raises(FileNotFoundError):
        found(tmp_path)
