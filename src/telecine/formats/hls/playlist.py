"""HLS playlists as values (RFC 8216bis, 4.4): what we write, and what we read back."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from telecine.formats.errors import FormatError
from telecine.formats.hls.tags import Tag, Uri, attributes, quoted, read_lines, uri_line

VERSION = 7
DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
MICROSECONDS = 1_000_000

# The official test tools take every URI of this name for a video playlist.
VIDEO_PLAYLIST_NAME = "/manifest.m3u8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """EXT-X-STREAM-INF and its URI; without a size it is sound only."""

    uri: str
    bandwidth_bps: int
    codecs: str
    average_bandwidth_bps: int | None = None
    width_px: int = 0
    height_px: int = 0
    frame_rate: Fraction | None = None
    audio: str | None = None  # GROUP-ID
    subtitles: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """EXT-X-MEDIA: one more sound track or subtitles. `language` is a BCP 47 tag."""

    group: str
    name: str
    uri: str
    language: str | None = None
    default: bool = False
    autoselect: bool = True
    channels: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Master:
    """A multivariant playlist. Players start with the first variant that fits.

    `independent`: every segment of them begins with a key frame.
    """

    renditions: Sequence[Variant]
    audio: Sequence[Media] = ()
    subtitles: Sequence[Media] = ()
    version: int = VERSION
    independent: bool = True


@dataclass(frozen=True, slots=True)
class Segment:
    """EXTINF and its URI; `duration` in seconds, exact."""

    uri: str
    duration: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPlaylist:
    """A media playlist. `start` is the time of the first segment, in seconds."""

    target_duration_s: int
    segments: Sequence[Segment]
    map_uri: str | None = None
    playlist_type: str | None = "VOD"  # "VOD", "EVENT", None: live
    ended: bool = True
    from_start: bool = False  # EXT-X-START: also players of what still grows begin there
    media_sequence: int = 0
    start: Fraction = Fraction(0)
    version: int = VERSION


def render_master(master: Master) -> str:
    """Return a multivariant playlist.

    Raises:
        ValueError: a URI that cannot stand there, or a sound or subtitle playlist
            with a video playlist's name.
    """
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{master.version}"]
    lines += ["#EXT-X-INDEPENDENT-SEGMENTS"] if master.independent else []
    lines += [_media_line("AUDIO", media) for media in master.audio]
    lines += [_media_line("SUBTITLES", media) for media in master.subtitles]
    for variant in master.renditions:
        lines += [_variant_line(variant), uri_line(variant.uri)]
    return "\n".join(lines) + "\n"


def _media_line(kind: str, media: Media) -> str:
    if VIDEO_PLAYLIST_NAME in f"/{media.uri}":
        raise ValueError(f"{media.uri!r} looks like a video playlist")
    fields = [f"TYPE={kind}", f"GROUP-ID={quoted(media.group)}", f"NAME={quoted(media.name)}"]
    if media.language is not None:
        fields.append(f"LANGUAGE={quoted(media.language)}")
    fields.append(f"DEFAULT={'YES' if media.default else 'NO'}")
    # A default that is not selected by itself would contradict itself (4.4.6.1).
    fields.append(f"AUTOSELECT={'YES' if media.autoselect or media.default else 'NO'}")
    if media.channels is not None:
        fields.append(f'CHANNELS="{media.channels}"')
    fields.append(f"URI={quoted(uri_line(media.uri))}")
    return "#EXT-X-MEDIA:" + ",".join(fields)


def _variant_line(variant: Variant) -> str:
    fields = [f"BANDWIDTH={variant.bandwidth_bps}"]
    if variant.average_bandwidth_bps is not None:
        fields.append(f"AVERAGE-BANDWIDTH={variant.average_bandwidth_bps}")
    if variant.width_px:
        fields.append(f"RESOLUTION={variant.width_px}x{variant.height_px}")
    if variant.frame_rate is not None:
        fields.append(f"FRAME-RATE={float(variant.frame_rate):.3f}")
    fields.append(f"CODECS={quoted(variant.codecs)}")
    if variant.audio is not None:
        fields.append(f"AUDIO={quoted(variant.audio)}")
    if variant.subtitles is not None:
        fields.append(f"SUBTITLES={quoted(variant.subtitles)}")
    return "#EXT-X-STREAM-INF:" + ",".join(fields)


def render_media(playlist: MediaPlaylist) -> str:
    """Return a media playlist. Raises ValueError on a URI that cannot stand there."""
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{playlist.version}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f"#EXT-X-TARGETDURATION:{playlist.target_duration_s}",
        f"#EXT-X-MEDIA-SEQUENCE:{playlist.media_sequence}",
    ]
    if playlist.playlist_type is not None:
        lines.append(f"#EXT-X-PLAYLIST-TYPE:{playlist.playlist_type}")
    if playlist.from_start:
        lines.append("#EXT-X-START:TIME-OFFSET=0")
    if playlist.map_uri is not None:
        lines.append(f"#EXT-X-MAP:URI={quoted(uri_line(playlist.map_uri))}")
    microseconds = _microseconds(playlist)
    for segment, length in zip(playlist.segments, microseconds, strict=True):
        whole, rest = divmod(length, MICROSECONDS)
        lines += [f"#EXTINF:{whole}.{rest:06d},", uri_line(segment.uri)]
    if playlist.ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def _microseconds(playlist: MediaPlaylist) -> Iterator[int]:
    """Yield each duration as the difference of rounded ends, so that sums never drift."""
    durations = [segment.duration for segment in playlist.segments]
    # One denominator for all: whole numbers instead of 21,600 fractions of a long day.
    ticks = lcm(playlist.start.denominator, *{duration.denominator for duration in durations})
    end = int(playlist.start * ticks)
    before = _rounded(end, ticks)
    for duration in durations:
        end += duration.numerator * (ticks // duration.denominator)
        now = _rounded(end, ticks)
        yield now - before
        before = now


def _rounded(numerator: int, ticks: int) -> int:
    return (2 * numerator * MICROSECONDS + ticks) // (2 * ticks)


def parse(text: str) -> Master | MediaPlaylist:
    """Read a playlist of either kind; tags that the values do not hold are ignored.

    Raises:
        FormatError: it breaks the grammar or misses what it needs.
    """
    lines = list(read_lines(text))
    names = {line.name for line in lines if isinstance(line, Tag)}
    try:
        if "EXT-X-TARGETDURATION" in names:
            return _parse_media(lines)
        if "EXT-X-STREAM-INF" in names:
            return _parse_master(lines)
    except (KeyError, ArithmeticError) as error:
        raise FormatError(f"the playlist misses or garbles {error}") from error
    except ValueError as error:
        raise FormatError(str(error)) from error
    raise FormatError("neither a multivariant nor a media playlist")


def _parse_master(lines: Sequence[Tag | Uri]) -> Master:
    version, stream = 1, None
    groups: dict[str, list[Media]] = {"AUDIO": [], "SUBTITLES": []}
    variants = []
    for line in lines:
        if isinstance(line, Uri):
            if stream is None:
                raise FormatError(f"line {line.line}: a URI without EXT-X-STREAM-INF")
            variants.append(_variant(stream, line.uri))
            stream = None
        elif line.name == "EXT-X-VERSION":
            version = int(line.value)
        elif line.name == "EXT-X-STREAM-INF":
            stream = attributes(line.value)
        elif line.name == "EXT-X-MEDIA":
            found = attributes(line.value)
            if found["TYPE"] in groups and "URI" in found:
                groups[found["TYPE"]].append(_media(found))
    return Master(
        renditions=tuple(variants),
        audio=tuple(groups["AUDIO"]),
        subtitles=tuple(groups["SUBTITLES"]),
        version=version,
    )


def _variant(found: dict[str, str], uri: str) -> Variant:
    width, _, height = found.get("RESOLUTION", "0x0").partition("x")
    average = found.get("AVERAGE-BANDWIDTH")
    return Variant(
        uri=uri,
        bandwidth_bps=int(found["BANDWIDTH"]),
        average_bandwidth_bps=int(average) if average else None,
        codecs=found.get("CODECS", ""),
        width_px=int(width),
        height_px=int(height),
        frame_rate=_decimal(found["FRAME-RATE"]) if "FRAME-RATE" in found else None,
        audio=found.get("AUDIO"),
        subtitles=found.get("SUBTITLES"),
    )


def _decimal(text: str) -> Fraction:
    # Fraction would also take "1e999999999", and fill the memory with it.
    if not DECIMAL.fullmatch(text):
        raise FormatError(f"{text[:40]!r} is not a decimal number")
    return Fraction(text)


def _media(found: dict[str, str]) -> Media:
    return Media(
        group=found["GROUP-ID"],
        name=found["NAME"],
        uri=found["URI"],
        language=found.get("LANGUAGE"),
        default=found.get("DEFAULT") == "YES",
        autoselect=found.get("AUTOSELECT") == "YES",
        channels=int(found["CHANNELS"].partition("/")[0]) if "CHANNELS" in found else None,
    )


def _parse_media(lines: Sequence[Tag | Uri]) -> MediaPlaylist:
    single = {line.name: line.value for line in lines if isinstance(line, Tag)}
    segments: list[Segment] = []
    duration: Fraction | None = None
    for line in lines:
        if isinstance(line, Uri):
            if duration is None:
                raise FormatError(f"line {line.line}: a segment without EXTINF")
            segments.append(Segment(line.uri, duration))
            duration = None
        elif line.name == "EXTINF":
            duration = _decimal(line.value.partition(",")[0])
    return MediaPlaylist(
        target_duration_s=int(single["EXT-X-TARGETDURATION"]),
        segments=tuple(segments),
        map_uri=attributes(single["EXT-X-MAP"])["URI"] if "EXT-X-MAP" in single else None,
        playlist_type=single.get("EXT-X-PLAYLIST-TYPE"),
        ended="EXT-X-ENDLIST" in single,
        media_sequence=int(single.get("EXT-X-MEDIA-SEQUENCE", "0")),
        version=int(single.get("EXT-X-VERSION", "1")),
    )
