"""Failures in plain words, and logs that tell nothing of the machine."""

import re
from collections.abc import Mapping

_LINES = 12
_LINE_CHARACTERS = 240

_WORDS: Mapping[str, str] = {
    "not-media": "This is no video or sound file.",
    "unreadable": "The file cannot be read as video or sound: it is something else, or broken.",
    "playlist": "This is a list of other files, not a video. Upload the files that it names.",
    "broken-index": "The index of the file is missing or broken, as when a recording was "
    "interrupted. A repair tool for MP4 may help; then upload it again.",
    "no-streams": "There is neither video nor sound in the file.",
    "no-duration": "The file contains nothing that lasts: its length is zero.",
    "encrypted": "The media is protected (DRM). Upload a copy without protection.",
    "dolby-vision": "Dolby Vision profile 5 cannot be shown on ordinary screens. "
    "Export the video as HDR10, HLG or SDR.",
    "picture-too-small": "The pictures are too small to be a video.",
    "picture-too-large": "The pictures are larger than 8K.",
    "too-many-streams": "The file has more tracks than any video has.",
    "too-long": "The video is longer than 24 hours.",
    "frame-rate-too-high": "The file claims more pictures a second than any camera makes.",
    "audio-too-complex": "The sound has more than 8 channels or 192 kHz.",
    "undecodable": "No picture of this part of the video can be decoded.",
    "too-complex": "The file needs more memory or time than one encode may use.",
    "crashes-decoder": "The file makes the decoder crash. It may be damaged, made to harm, or "
    "need more memory than one encode may use.",
    "audio-incomplete": "The sound cannot be decoded to its end.",
    "no-picture": "No picture can be taken from the video.",
    "stalled": "The encoder gave no sign of life and was stopped.",
    "wall-limit": "The encoder took too long and was stopped.",
    "time-limit": "The work took longer than it may, and was stopped.",
    "worker-died": "The worker died each time it did this: the machine may have too little "
    "memory, or the file is made to harm.",
    "killed": "The encoder was stopped from outside, most likely because memory ran out.",
    "out-of-space": "There is no room left on the disk.",
    "sandbox": "Media cannot be handled safely on this machine: see `telecine doctor`.",
    "launch": "The encoder could not be started: see `telecine doctor`.",
    "source": "The uploaded file cannot be read back from storage as it was stored.",
    "wrong-output": "The encoder made something else than was planned.",
    "no-vmaf": "The ffmpeg in use cannot tell how alike pictures are: it is without libvmaf.",
    "no-figures": "What compares the pictures said nothing of how alike they are.",
    "no-command": "No program that does this is configured here.",
    "command-failed": "The program that does this failed; its last words are in the log.",
    "command-slow": "The program that does this took too long and was stopped.",
    "command-output": "What the program wrote cannot be used.",
    "no-sound": "There is no sound in the video.",
    "no-speech": "Nobody speaks in the video.",
    "few-words": "Too few words are spoken in the video.",
    "transcript": "There is no transcript, because that failed.",
    "clip-empty": "There is nothing of the video between the start and the end of the clip.",
}
CUT_OFF, DAMAGED = "cut-off", "damaged"

REMARKS: Mapping[str, str] = {
    CUT_OFF: "The end of the file is missing; what is there plays.",
    DAMAGED: "Parts of the file are damaged. The pictures around them are shown in their place.",
    # What `live.ports.Shortfall` has.
    "recording-no-room": "The recording ends before its live event did: the disk was full.",
    "recording-too-slow": "The recording ends before its live event did: the disk did not keep up.",
    "recording-broken": "The recording ends before its live event did: the disk could not be "
    "written to.",
}
"""What is told of sources that play, but not as they were meant to."""

_UNKNOWN = "Something went wrong in the server; its log has more."

_ADDRESS = re.compile(r" @ 0x[0-9a-f]+")
_PATH = re.compile(r"(?<![\w/:.])/(?:[^/\s'\":,)]+/)+")


def slug(failure: str) -> str:
    """Return the machine-readable part of a failure, `slug: detail`."""
    first, _, rest = failure.partition(": ")
    return slug(rest) if first in ("MediaError", "RunnerError", "CommandError") and rest else first


def plain(failure: str) -> str:
    """Say in a sentence what went wrong."""
    return _WORDS.get(slug(failure), _UNKNOWN)


def cleaned(text: str) -> str:
    """Leave out folders and addresses of the machine, which help nobody else."""
    return _PATH.sub("", _ADDRESS.sub("", text))


def log_lines(text: str) -> list[str]:
    """Return the last lines of a log as they may be shown."""
    lines = [cleaned(line).strip() for line in text.splitlines()]
    return [line[:_LINE_CHARACTERS] for line in lines if line][-_LINES:]
