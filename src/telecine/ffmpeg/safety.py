"""The options without which no foreign file may reach ffmpeg."""

from typing import Final

MAX_PIXELS: Final = 35_389_440
"""8K UHD with its macroblock padding (8192 x 4320)."""

MAX_STREAMS: Final = 32

DEMUXERS: Final = (
    "mov", "matroska", "mpegts", "mpeg", "avi", "flv", "asf", "ogg", "wav", "mp3", "aac", "flac",
    "mxf", "gif", "h264", "hevc", "ivf", "amr", "aiff", "dv", "caf", "ac3", "eac3", "mpegvideo",
    "obu",
)  # fmt: skip
"""Containers that hold their media themselves: no playlist, manifest or script is here."""

INPUT_FLAGS: Final = (
    # Never read commands from the terminal.
    "-nostdin",
    # Only the descriptor that is handed over. The usual advice, a list with http and tcp,
    # lets a playlist make requests in our name.
    "-protocol_whitelist", "fd",
    # HLS, DASH and ffconcat open other files, local ones too; image formats lie about sizes.
    "-format_whitelist", ",".join(DEMUXERS),
    # A few bytes can claim a picture of gigabytes, or a thousand streams.
    "-max_pixels", str(MAX_PIXELS),
    "-max_streams", str(MAX_STREAMS),
)  # fmt: skip
"""Goes before every `-i`."""

ATTACHED_PICTURE_FLAGS: Final = (
    "-protocol_whitelist", "fd",
    "-format_whitelist", "png_pipe",
    "-max_pixels", str(MAX_PIXELS),
    "-max_streams", "1",
    "-f", "png_pipe",
)  # fmt: skip
"""Goes before the `-i` of a picture that we wrote ourselves."""
