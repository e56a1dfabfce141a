"""The program that looks into foreign files, confined like ffmpeg itself.

Argument: "file" where descriptor `INPUT` is the file itself, "asked" where it gives the
file's size and then the bytes that are asked for on `REQUESTS`. Writes JSON to `ANSWER` (a
probe, or why there is none) and a sample index, if there is one, to `SAMPLES`.

Starts in 0.1 s because it imports no more than the file needs.
"""

import json
import os
import sys
from dataclasses import replace
from fractions import Fraction
from io import FileIO, RawIOBase

from telecine.formats.errors import FormatError
from telecine.formats.mp4.index import MovieIndex, TooManyTracksError, read_index
from telecine.formats.mp4.movie_scan import moov_end
from telecine.pipeline.codec import probe_to_json
from telecine.pipeline.indexed_probe import Chosen, choose, known_facts, probe_index
from telecine.pipeline.limits import TooLittleError, UnplayableError, check
from telecine.pipeline.model import Probe
from telecine.pipeline.probe_wire import GIVEN, AskedFile
from telecine.pipeline.refusals import is_scrambled_ts, refuse_playlists
from telecine.pipeline.sample_index import SampleIndex
from telecine.pipeline.track_facts import known_s

INPUT, ANSWER, SAMPLES, REQUESTS = 9, 10, 11, 12

_NEVER = 1 << 62
"""Bytes that no file has."""

_STREAMED = frozenset(("matroska,webm", "mpegts"))
"""What can be played from its beginning on without knowing its end (libavformat's names)."""

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


def probe_source(
    file: LocalFile | AskedFile, size_bytes: int, given_rate: Fraction | None = None
) -> tuple[Probe, bytes | None]:
    """Probe a file; returns the sample index too, where it is an MP4 or MOV.

    `given_rate`: of the frame grid, instead of the source's own.

    Raises:
        UnplayableError: it cannot be served.
    """
    if size_bytes == 0:
        raise UnplayableError("not-media", "the file is empty")
    refuse_playlists(file)
    if file.read_at(0, 8)[4:8] not in _BRANDS:
        return _demuxed(file, size_bytes, given_rate), None
    try:
        index = read_index(file.read_at, size_bytes)
        chosen = choose(index)
    except TooManyTracksError as error:
        raise UnplayableError("too-many-streams", str(error)) from error
    except FormatError as error:
        # Without a readable moov libavformat cannot do better.
        raise UnplayableError("broken-index", str(error)) from error
    if chosen.video is None and chosen.audio is None:
        raise UnplayableError("no-streams", "neither video nor audio")
    if chosen.rearranged:
        # Pictures and sound must come from who follows the list for both.
        return _demuxed(file, size_bytes, given_rate), None
    probe, samples = _indexed(file, size_bytes, index, chosen, given_rate)
    check(probe)
    return probe, samples.to_bytes()


def probe_beginning(
    file: LocalFile | AskedFile,
    size_bytes: int,
    given_rate: Fraction | None = None,
    there_bytes: int = 0,
) -> tuple[Probe, bytes | None]:
    """Probe the first bytes of a file of which more will come.

    `there_bytes`: the end of what is there, if some of it lies apart from the first.

    Raises:
        TooLittleError: they tell too little.
        UnplayableError: it cannot be served.
    """
    if file.read_at(0, 8)[4:8] not in _BRANDS:
        probe = _demuxed(file, size_bytes, given_rate, beginning=True)
        if probe.container not in _STREAMED or probe.video is None:
            raise TooLittleError(f"{probe.container} is played from its end on", _NEVER)
        return probe, None
    try:
        needed_bytes, is_there = moov_end(file.read_at)
        if not is_there:
            raise TooLittleError("the index has not come", needed_bytes)
        reach_bytes = size_bytes if needed_bytes <= size_bytes else there_bytes
        index = read_index(file.read_at, reach_bytes, whole=False)
        chosen = choose(index)
    except FormatError as error:
        raise UnplayableError("broken-index", str(error)) from error
    if index.fragmented and (chosen.video is None or not len(chosen.video.sizes)):
        raise TooLittleError("no pictures have come", size_bytes + 1)
    if chosen.video is None and chosen.audio is None:
        raise UnplayableError("no-streams", "neither video nor audio")
    if chosen.rearranged:
        raise TooLittleError("an edited film is played from its end on", _NEVER)
    if not index.fragmented:
        tracks = (track for track in (chosen.video, chosen.audio) if track is not None)
        size_bytes = max(int((each.offsets + each.sizes).max(initial=0)) for each in tracks)
    probe, samples = _indexed(file, size_bytes, index, chosen, given_rate)
    if index.fragmented:
        probe = replace(probe, truncated=False, known_s=_known_s(probe))
    check(probe)
    return probe, samples.to_bytes()


def _known_s(probe: Probe) -> Fraction:
    """Return how far the fragments of both tracks have come."""
    audio = probe.audio
    return known_s(probe.duration_s, None if audio is None else audio.start_s + audio.duration_s)


def _indexed(
    file: RawIOBase,
    size_bytes: int,
    index: MovieIndex,
    chosen: Chosen,
    given_rate: Fraction | None,
) -> tuple[Probe, SampleIndex]:
    picture, sound = known_facts(chosen)
    sound_duration_s = Fraction(0)
    picture_missing = chosen.video is not None and picture is None
    sound_missing = chosen.audio is not None and sound is None
    if picture_missing or sound_missing:
        # Slow to import, and the usual upload does not need it.
        from telecine.pipeline import demuxed_probe, demuxing  # noqa: PLC0415

        file.seek(0)
        with demuxing.opened(file) as container:
            pictures = demuxed_probe.video_stream(container, chosen.video_ordinal)
            if picture_missing and pictures is not None:
                picture = demuxed_probe.picture_facts(container, pictures)
            stream = demuxed_probe.audio_stream(container, chosen.audio_ordinal)
            if sound_missing and stream is not None:
                sound = demuxed_probe.sound_facts(stream)
                sound_duration_s = demuxed_probe.stream_duration_s(container, stream)
        if picture_missing and picture is None:
            raise UnplayableError("undecodable", "no decoder for the video")
    return probe_index(
        index, chosen, size_bytes, picture, sound, sound_duration_s, given_rate=given_rate
    )


def _demuxed(
    file: RawIOBase, size_bytes: int, given_rate: Fraction | None, *, beginning: bool = False
) -> Probe:
    # Slow to import, and the usual upload does not need it.
    from telecine.pipeline import demuxed_probe  # noqa: PLC0415

    file.seek(0)
    try:
        probe = demuxed_probe.probe_file(
            file, size_bytes, given_rate=given_rate, beginning=beginning
        )
    except UnplayableError as error:
        if not beginning and is_scrambled_ts(file, size_bytes):
            raise UnplayableError("encrypted", "the transport stream is scrambled") from error
        raise
    check(probe)
    return probe


def main(arguments: list[str]) -> None:
    """Probe the input and write the results."""
    file: LocalFile | AskedFile
    whole, given_rate, there_bytes = True, None, 0
    if arguments == ["asked"]:
        answers = os.fdopen(INPUT, "rb")
        told = answers.read(GIVEN.size)
        if not told:
            return  # started in advance, and not needed
        size_bytes, whole, numerator, denominator, *apart = GIVEN.unpack(told)
        given_rate = Fraction(numerator, denominator) if denominator else None
        file = AskedFile(os.fdopen(REQUESTS, "wb"), answers, size_bytes, (apart[0], apart[1]))
        if not whole:
            there_bytes = max(size_bytes, apart[1])
    else:
        file = LocalFile(INPUT, "rb")
        size_bytes = os.fstat(INPUT).st_size
    samples: bytes | None = None
    try:
        if whole:
            probe, samples = probe_source(file, size_bytes, given_rate)
        else:
            probe, samples = probe_beginning(file, size_bytes, given_rate, there_bytes)
        answer = b'{"probe":' + probe_to_json(probe) + b"}"
    except TooLittleError as error:
        refused = {"detail": str(error), "until_bytes": error.until_bytes}
        answer = json.dumps({"refused": refused}).encode()
    except UnplayableError as error:
        refusal = {"reason": error.reason, "detail": error.detail}
        answer = json.dumps({"refused": refusal}).encode()
    with os.fdopen(ANSWER, "wb") as out:
        out.write(answer)
    with os.fdopen(SAMPLES, "wb") as out:
        out.write(samples or b"")


if __name__ == "__main__":
    main(sys.argv[1:])
    sys.stderr.flush()
    # All is written. To take the interpreter apart takes a third of the time of a probe,
    # and whoever asked waits for the end.
    os._exit(0)
