"""Sample tables out of the fragments of a whole file (ISO/IEC 14496-12, 8.8)."""

from collections.abc import Mapping, Sequence

import numpy as np

from telecine.formats.mp4.boxes import Box, Buffer, find, iter_boxes, read
from telecine.formats.mp4.runs import Defaults, read_traf, track_id_of
from telecine.formats.mp4.sample_table import SampleTable
from telecine.formats.mp4.samples import Ints, Samples


def read_defaults(moov: Buffer) -> dict[int, Defaults]:
    """Return what `trex` says, by track."""
    mvex = find(moov, [b"mvex"])
    if mvex is None:
        return {}
    defaults = {}
    for child in iter_boxes(moov, mvex.body, mvex.end):
        if child.kind == b"trex":
            track, _, duration, size, flags = read("IIIII", moov, child.body + 4, child.end)
            defaults[track] = Defaults(duration, size, flags)
    return defaults


class _Growing:
    """A table that fragments are appended to."""

    def __init__(self, start: SampleTable) -> None:
        self.samples = [start.samples]
        self.offsets = [start.offsets]
        self.dts = [start.dts]
        self.next_dts = int(start.dts[-1] + start.samples.durations[-1]) if len(start.dts) else 0

    def append(self, samples: Samples, offset: int) -> None:
        if not len(samples):
            return
        self.samples.append(samples)
        self.offsets.append(_running(offset, samples.sizes))
        self.dts.append(_running(self.next_dts, samples.durations))
        self.next_dts += samples.ticks

    def table(self) -> SampleTable:
        parts = self.samples
        return SampleTable(
            Samples(
                sizes=np.concatenate([part.sizes for part in parts]),
                durations=np.concatenate([part.durations for part in parts]),
                composition_offsets=np.concatenate([part.composition_offsets for part in parts]),
                keyframes=np.concatenate([part.keyframes for part in parts]),
            ),
            np.concatenate(self.offsets),
            np.concatenate(self.dts),
        )


def _running(start: int, steps: Ints) -> Ints:
    """Return the sums before each step, from `start` on."""
    return start + np.cumsum(steps) - steps


def append_fragments(
    tables: Mapping[int, SampleTable],
    moofs: Sequence[tuple[int, bytes]],
    defaults: Mapping[int, Defaults],
    max_samples: int,
) -> dict[int, SampleTable]:
    """Return `tables` (by track) with the samples of all fragments behind theirs.

    Raises:
        FormatError: a fragment is broken, or there are too many samples.
    """
    growing = {track: _Growing(table) for track, table in tables.items()}
    left = max_samples - sum(len(table.samples) for table in tables.values())
    for start, data in moofs:
        moof = Box(b"moof", 0, 8, len(data))
        implicit_base = start
        for traf in iter_boxes(data, moof.body, moof.end):
            if traf.kind != b"traf":
                continue
            track = track_id_of(data, traf)
            fragment = read_traf(
                data,
                traf,
                defaults.get(track, Defaults()),
                moof_start=start,
                implicit_base=implicit_base,
                max_samples=left,
            )
            implicit_base = fragment.runs[-1].end if fragment.runs else implicit_base
            left -= sum(len(run.samples) for run in fragment.runs)
            if track not in growing:
                continue
            if fragment.decode_time is not None:
                growing[track].next_dts = fragment.decode_time
            for run in fragment.runs:
                growing[track].append(run.samples, run.offset)
    return {track: grown.table() for track, grown in growing.items()}
