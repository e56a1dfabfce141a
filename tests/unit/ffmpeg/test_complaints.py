"""Damage is counted, whatever the pieces in which ffmpeg's words arrive."""

import pytest

from telecine.ffmpeg.complaints import Complaints

SAID = (
    b"[dec:h264 @ 0x1] Error submitting packet to decoder: Invalid data found\n"
    b"    Last message repeated 2 times\n"
    b"[h264 @ 0x1] mmco: unref short failure\n"
    b"    Last message repeated 9 times\n"
    b"[hevc @ 0x1] Could not find ref with POC 84\n"
    b"[dec:h264 @ 0x1] corrupt decoded frame\n"
)


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
def test_damage_is_counted(size: int) -> None:
    complaints = Complaints()
    for at in range(0, len(SAID), size):
        complaints.add(SAID[at : at + size])
    assert (complaints.damage, complaints.missing) == (4, 1)


def test_a_line_without_end_does_not_grow() -> None:
    complaints = Complaints()
    for _ in range(100):
        complaints.add(bytes(10_000))
    assert complaints == Complaints(_rest=bytes(4096))
