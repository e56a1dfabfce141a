"""Reads back what `multitrack` writes: fragments of several tracks, for other containers."""

import struct
from dataclasses import dataclass

from telecine.formats.errors import FormatError
from telecine.formats.mp4.boxes import Buffer, find, iter_boxes, read

_ROW = struct.Struct(">IIIi")  # duration, size, flags, composition offset
_NON_SYNC = 0x10000


@dataclass(frozen=True, slots=True)
class TrackInit:
    """How a track is to be decoded: the body of its `stsd`, ticks a second."""

    stsd: bytes
    timescale: int


@dataclass(frozen=True, slots=True)
class Shown:
    """One sample; `shown` in ticks of its track from time 0."""

    data: bytes
    shown: int
    duration: int
    key: bool


def read_tracks(init: bytes) -> dict[int, TrackInit]:
    """Return the tracks of an init segment by their ids. Raises FormatError."""
    moov = find(init, [b"moov"])
    found: dict[int, TrackInit] = {}
    for trak in iter_boxes(init, moov.body, moov.end) if moov else ():
        if trak.kind != b"trak":
            continue
        tkhd = find(init, [b"tkhd"], trak.body, trak.end)
        mdhd = find(init, [b"mdia", b"mdhd"], trak.body, trak.end)
        stsd = find(init, [b"mdia", b"minf", b"stbl", b"stsd"], trak.body, trak.end)
        if tkhd is None or mdhd is None or stsd is None:
            raise FormatError("a track without its headers")
        wide = [read("B", init, box.body, box.end)[0] == 1 for box in (tkhd, mdhd)]
        (number,) = read("I", init, tkhd.body + (20 if wide[0] else 12), tkhd.end)
        (timescale,) = read("I", init, mdhd.body + (20 if wide[1] else 12), mdhd.end)
        found[number] = TrackInit(init[stsd.body : stsd.end], timescale)
    return found


def read_samples(data: Buffer) -> dict[int, list[Shown]]:
    """Return the samples of fragments by track, in decode order. Raises FormatError."""
    found: dict[int, list[Shown]] = {}
    for moof in iter_boxes(data):
        if moof.kind != b"moof":
            continue
        start = moof.start
        for traf in iter_boxes(data, moof.body, moof.end):
            if traf.kind == b"traf":
                number, samples = _run(data, start, traf.body, traf.end)
                found.setdefault(number, []).extend(samples)
    return found


def _run(data: Buffer, moof: int, start: int, end: int) -> tuple[int, list[Shown]]:
    boxes = {box.kind: box for box in iter_boxes(data, start, end)}
    try:
        tfhd, tfdt, trun = boxes[b"tfhd"], boxes[b"tfdt"], boxes[b"trun"]
    except KeyError as error:
        raise FormatError("a run without its headers") from error
    (number,) = read("I", data, tfhd.body + 4, tfhd.end)
    (time,) = read("Q", data, tfdt.body + 4, tfdt.end)
    count, at = read("Ii", data, trun.body + 4, trun.end)
    at += moof
    samples = []
    for row in range(count):
        place = trun.body + 12 + row * _ROW.size
        if place + _ROW.size > trun.end:
            raise FormatError("a run ends early")
        duration, size, flags, offset = _ROW.unpack_from(data, place)
        key = not flags & _NON_SYNC
        samples.append(Shown(bytes(data[at : at + size]), time + offset, duration, key))
        time, at = time + duration, at + size
    return number, samples
