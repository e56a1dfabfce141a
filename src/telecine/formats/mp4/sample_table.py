"""The sample table `stbl` (ISO/IEC 14496-12, 8.6 and 8.7) as arrays.

Every count is foreign: it is compared with the box it came in, or with the number
of samples, before anything is allocated by it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from telecine.formats.mp4.boxes import Box, Buffer, FormatError, iter_boxes, read
from telecine.formats.mp4.samples import Bools, Ints, Samples, expand

LONGEST_SAMPLE_TICKS = 1 << 31
FARTHEST_OFFSET = 1 << 61


@dataclass(frozen=True, slots=True)
class SampleTable:
    """Samples in decode order, where they lie in the file, when they are decoded."""

    samples: Samples
    offsets: Ints
    dts: Ints


def empty_table() -> SampleTable:
    """Return the table of a track without samples."""
    none = np.zeros(0, np.int64)
    return SampleTable(
        Samples(
            sizes=none, durations=none, composition_offsets=none, keyframes=np.zeros(0, np.bool_)
        ),
        none,
        none,
    )


def read_stbl(data: Buffer, stbl: Box, max_samples: int) -> SampleTable:
    """Read a sample table; `dts` starts at 0.

    Raises:
        FormatError: a table contradicts its box or the others, or there are more
            than `max_samples` samples.
    """
    boxes = {child.kind: child for child in iter_boxes(data, stbl.body, stbl.end)}
    sizes = _sizes(data, boxes, max_samples)
    count = len(sizes)
    if not count:
        return empty_table()
    offsets = _offsets(data, boxes, sizes)
    durations = _durations(data, boxes, count)
    samples = Samples(
        sizes=sizes,
        durations=durations,
        composition_offsets=_composition_offsets(data, boxes, count),
        keyframes=_keyframes(data, boxes, count),
    )
    table = SampleTable(samples, offsets, np.cumsum(durations) - durations)
    return cut(table, len(offsets))


def cut(table: SampleTable, count: int) -> SampleTable:
    """Return the first `count` samples."""
    samples = table.samples
    if count >= len(samples):
        return table
    return SampleTable(
        Samples(
            sizes=samples.sizes[:count],
            durations=samples.durations[:count],
            composition_offsets=samples.composition_offsets[:count],
            keyframes=samples.keyframes[:count],
        ),
        table.offsets[:count],
        table.dts[:count],
    )


def is_sample_frames(data: Buffer, stbl: Box) -> bool:
    """Return whether each entry is one moment of uncompressed sound (QuickTime PCM).

    Such tables have one entry of one tick per moment: 240,000 in five seconds.
    """
    boxes = {child.kind: child for child in iter_boxes(data, stbl.body, stbl.end)}
    if b"stsz" not in boxes or b"stts" not in boxes:
        return False
    (fixed,) = read("I", data, boxes[b"stsz"].body + 4, boxes[b"stsz"].end)
    deltas = _rows(data, boxes[b"stts"], 2)[:, 1]
    return fixed > 0 and len(deltas) > 0 and bool((deltas == 1).all())


def _rows(data: Buffer, table: Box, columns: int, kind: str = ">u4") -> npt.NDArray[np.int64]:
    """Return the rows of a table box whose count stands behind version and flags."""
    (count,) = read("I", data, table.body + 4, table.end)
    width = np.dtype(kind).itemsize * columns
    if count * width > table.end - table.body - 8:
        raise FormatError(f"{table.kind!r} claims {count} entries")
    rows = np.frombuffer(data, kind, count * columns, table.body + 8).reshape(count, columns)
    return rows.astype(np.int64)


def _sizes(data: Buffer, boxes: dict[bytes, Box], max_samples: int) -> Ints:
    table = boxes.get(b"stsz") or boxes.get(b"stz2")
    if table is None:
        return np.zeros(0, np.int64)
    fixed, count = read("II", data, table.body + 4, table.end)
    if count > max_samples:
        raise FormatError(f"{count} samples, at most {max_samples} are possible")
    room = table.end - table.body - 12
    if table.kind == b"stz2":
        return _compact_sizes(data, table, fixed & 0xFF, count)
    if fixed:
        return np.full(count, fixed, np.int64)
    if count * 4 > room:
        raise FormatError(f"stsz claims {count} entries")
    return np.frombuffer(data, ">u4", count, table.body + 12).astype(np.int64)


def _compact_sizes(data: Buffer, table: Box, field_bits: int, count: int) -> Ints:
    if field_bits not in (4, 8, 16) or (count * field_bits + 7) // 8 > table.end - table.body - 12:
        raise FormatError(f"stz2 claims {count} entries of {field_bits} bits")
    if field_bits == 4:
        pairs = np.frombuffer(data, np.uint8, (count + 1) // 2, table.body + 12)
        return np.stack((pairs >> 4, pairs & 15), 1).reshape(-1)[:count].astype(np.int64)
    kind = np.uint8 if field_bits == 8 else np.dtype(">u2")
    return np.frombuffer(data, kind, count, table.body + 12).astype(np.int64)


def _durations(data: Buffer, boxes: dict[bytes, Box], count: int) -> Ints:
    if b"stts" not in boxes:
        raise FormatError("samples without stts")
    rows = _rows(data, boxes[b"stts"], 2)
    if not len(rows) or int(rows[:, 1].max()) >= LONGEST_SAMPLE_TICKS:
        raise FormatError("stts has no durations, or negative ones")
    durations = expand(rows[:, 0], rows[:, 1], count)
    # A table that ends early goes on with its last duration, as players do it.
    rest = np.full(count - len(durations), rows[-1, 1], np.int64)
    return np.concatenate((durations, rest))


def _composition_offsets(data: Buffer, boxes: dict[bytes, Box], count: int) -> Ints:
    if b"ctts" not in boxes:
        return np.zeros(count, np.int64)
    # Signed in version 1; encoders wrote negative numbers into version 0 as well.
    rows = _rows(data, boxes[b"ctts"], 2)
    offsets = expand(rows[:, 0], rows[:, 1].astype(np.int32).astype(np.int64), count)
    return np.concatenate((offsets, np.zeros(count - len(offsets), np.int64)))


def _keyframes(data: Buffer, boxes: dict[bytes, Box], count: int) -> Bools:
    if b"stss" not in boxes:
        return np.ones(count, np.bool_)
    numbers = _rows(data, boxes[b"stss"], 1)[:, 0]
    if len(numbers) and numbers[0] > 0:
        numbers = numbers - 1  # some writers count from 0
    keyframes = np.zeros(count, np.bool_)
    keyframes[numbers[(numbers >= 0) & (numbers < count)]] = True
    return keyframes


def _offsets(data: Buffer, boxes: dict[bytes, Box], sizes: Ints) -> Ints:
    """Return where samples lie; fewer than there are sizes if the chunks end early."""
    places = boxes.get(b"stco") or boxes.get(b"co64")
    if places is None or b"stsc" not in boxes:
        raise FormatError("samples without chunks")
    wide = places.kind == b"co64"
    chunks = _rows(data, places, 1, ">u8" if wide else ">u4")[:, 0]
    # What does not fit 63 bits came out negative: put it behind every file's end.
    chunks = np.where((chunks < 0) | (chunks > FARTHEST_OFFSET), FARTHEST_OFFSET, chunks)
    runs = _rows(data, boxes[b"stsc"], 3)
    firsts = runs[:, 0] - 1
    if not len(runs) or firsts[0] != 0 or (np.diff(firsts) <= 0).any():
        raise FormatError("the first chunks of stsc do not ascend from 1")
    per_chunk = expand(
        np.diff(firsts, append=max(len(chunks), firsts[-1])), runs[:, 1], len(chunks)
    )
    chunk_of = expand(per_chunk, np.arange(len(chunks), dtype=np.int64), len(sizes))
    sizes = sizes[: len(chunk_of)]
    before = np.cumsum(sizes) - sizes
    first_samples = np.minimum(np.cumsum(per_chunk) - per_chunk, max(len(sizes) - 1, 0))
    if not len(sizes):
        return np.zeros(0, np.int64)
    offsets: Ints = chunks[chunk_of] + before - before[first_samples][chunk_of]
    return offsets
