"""The program that looks into foreign files, confined like ffmpeg itself.

Argument: "file" where descriptor `INPUT` is the file itself, "asked" where it gives the
file's size and then the bytes that are asked for on `REQUESTS`. Writes JSON to `ANSWER` (a
probe, or why there is none) and a sample index, if there is one, to `SAMPLES`.

Starts in 0.1 s because it imports no more than the file needs.
"""

import json
import os
import sys
from fractions import Fraction
from io import FileIO, RawIOBase

from telecine.formats.errors import FormatError
from telecine.formats.mp4.index import MovieIndex, read_index
from telecine.pipeline.codec import probe_to_json
from telecine.pipeline.indexed_probe import Chosen, choose, known_facts, probe_index
from telecine.pipeline.limits import UnplayableError, check
from telecine.pipeline.model import Probe
from telecine.pipeline.probe_wire import SIZE, AskedFile
from telecine.pipeline.sample_index import SampleIndex

INPUT, ANSWER, SAMPLES, REQUESTS = 9, 10, 11, 12

_BRANDS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"moof")


class LocalFile(FileIO):
    """The file itself."""

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        """Return the bytes at `offset`, fewer at the end."""
        parts: list[bytes] = []
        left = size_bytes
        # One call gives at most 2 GiB.
        while left > 0 and (part := os.pread(self.fileno(), min(left, 1 << 30), offset)):
            parts.append(part)
            offset, left = offset + len(part), left - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def probe_source(file: LocalFile | AskedFile, size_bytes: int) -> tuple[Probe, bytes | None]:
    """Probe a file; returns the sample index too, where it is an MP4 or MOV.

    Raises:
        UnplayableError: it cannot be served.
    """
    if size_bytes == 0:
        raise UnplayableError("not-media", "the file is empty")
    if file.read_at(0, 8)[4:8] not in _BRANDS:
        return _demuxed(file, size_bytes), None
    try:
        index = read_index(file.read_at, size_bytes)
        chosen = choose(index)
    except FormatError as error:
        # Without a readable moov libavformat cannot do better.
        raise UnplayableError("broken-index", str(error)) from error
    if chosen.video is None and chosen.audio is None:
        raise UnplayableError("no-streams", "neither video nor audio")
    probe, samples = _indexed(file, size_bytes, index, chosen)
    check(probe)
    return probe, samples.to_bytes()


def _indexed(
    file: RawIOBase, size_bytes: int, index: MovieIndex, chosen: Chosen
) -> tuple[Probe, SampleIndex]:
    picture, sound = known_facts(chosen)
    sound_duration_s = Fraction(0)
    picture_missing = chosen.video is not None and picture is None
    sound_missing = chosen.audio is not None and sound is None
    if picture_missing or sound_missing:
        # Slow to import, and the usual upload does not need it.
        from telecine.pipeline import demuxed_probe  # noqa: PLC0415

        file.seek(0)
        with demuxed_probe.opened(file) as container:
            pictures = demuxed_probe.video_stream(container, chosen.video_ordinal)
            if picture_missing and pictures is not None:
                picture = demuxed_probe.picture_facts(container, pictures)
            stream = demuxed_probe.audio_stream(container, chosen.audio_ordinal)
            if sound_missing and stream is not None:
                sound = demuxed_probe.sound_facts(stream)
                sound_duration_s = demuxed_probe.stream_duration_s(container, stream)
        if picture_missing and picture is None:
            raise UnplayableError("undecodable", "no decoder for the video")
    return probe_index(index, chosen, size_bytes, picture, sound, sound_duration_s)


def _demuxed(file: RawIOBase, size_bytes: int) -> Probe:
    # Slow to import, and the usual upload does not need it.
    from telecine.pipeline import demuxed_probe  # noqa: PLC0415

    file.seek(0)
    probe = demuxed_probe.probe_file(file, size_bytes)
    check(probe)
    return probe


def main(arguments: list[str]) -> None:
    """Probe the input and write the results."""
    file: LocalFile | AskedFile
    if arguments == ["asked"]:
        answers = os.fdopen(INPUT, "rb")
        told = answers.read(SIZE.size)
        if not told:
            return  # started in advance, and not needed
        (size_bytes,) = SIZE.unpack(told)
        file = AskedFile(os.fdopen(REQUESTS, "wb"), answers, size_bytes)
    else:
        file = LocalFile(INPUT, "rb")
        size_bytes = os.fstat(INPUT).st_size
    samples: bytes | None = None
    try:
        probe, samples = probe_source(file, size_bytes)
        answer = b'{"probe":' + probe_to_json(probe) + b"}"
    except UnplayableError as error:
        refusal = {"reason": error.reason, "detail": error.detail}
        answer = json.dumps({"refused": refusal}).encode()
    with os.fdopen(ANSWER, "wb") as out:
        out.write(answer)
    with os.fdopen(SAMPLES, "wb") as out:
        out.write(samples or b"")


if __name__ == "__main__":
    main(sys.argv[1:])
