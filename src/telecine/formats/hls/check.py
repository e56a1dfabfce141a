"""Checks playlists against RFC 8216bis and against our own promises to players.

Each check returns sentences, an empty list where all is well.
"""

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from itertools import accumulate

from telecine.formats.errors import FormatError
from telecine.formats.hls.playlist import VIDEO_PLAYLIST_NAME, Master, MediaPlaylist, parse
from telecine.formats.hls.tags import Tag, Uri, attributes, read_lines

ONCE = (
    "EXTM3U",
    "EXT-X-VERSION",
    "EXT-X-INDEPENDENT-SEGMENTS",
    "EXT-X-TARGETDURATION",
    "EXT-X-MEDIA-SEQUENCE",
    "EXT-X-PLAYLIST-TYPE",
    "EXT-X-START",
    "EXT-X-ENDLIST",
)
ONLY_MASTER = ("EXT-X-STREAM-INF", "EXT-X-MEDIA", "EXT-X-I-FRAME-STREAM-INF")
ONLY_MEDIA = ("EXTINF", "EXT-X-TARGETDURATION", "EXT-X-MAP", "EXT-X-ENDLIST")

AUDIO_CODECS = ("mp4a.", "ac-3", "ec-3", "opus", "fLaC", "alac")
VIDEO_CODECS = ("avc1.", "avc3.", "hvc1.", "hev1.", "av01.", "vp09.")


def check_master(text: str) -> list[str]:
    """Check a multivariant playlist (4.4.2, 4.4.6)."""
    try:
        lines, master = list(read_lines(text)), parse(text)
    except FormatError as error:
        return [str(error)]
    if not isinstance(master, Master):
        return ["not a multivariant playlist"]
    tags = [line for line in lines if isinstance(line, Tag)]
    problems = _common(text, tags)
    problems += [
        f"line {tag.line}: {tag.name} belongs into media playlists"
        for tag in tags
        if tag.name in ONLY_MEDIA
    ]
    for before, line in zip(lines, [*lines[1:], Tag(0, "", "")], strict=True):
        if isinstance(before, Tag) and before.name == "EXT-X-STREAM-INF":
            if not isinstance(line, Uri):
                problems.append(f"line {before.line}: no URI follows EXT-X-STREAM-INF")
            problems += [f"line {before.line}: {said}" for said in _check_stream(before, master)]
    problems += _check_groups([tag for tag in tags if tag.name == "EXT-X-MEDIA"])
    for uri, times in Counter(variant.uri for variant in master.renditions).items():
        if times > 1:
            problems.append(f"the variant {uri} stands {times} times")
    return problems


def _common(text: str, tags: list[Tag]) -> list[str]:
    problems = []
    if "\r" in text or text.startswith("\ufeff") or not text.endswith("\n"):
        problems.append("lines must end with LF alone, without a byte order mark")
    counts = Counter(tag.name for tag in tags)
    problems += [f"{name} stands {counts[name]} times" for name in ONCE if counts[name] > 1]
    if not counts["EXT-X-INDEPENDENT-SEGMENTS"]:
        problems.append("EXT-X-INDEPENDENT-SEGMENTS is missing")
    return problems


def _check_stream(tag: Tag, master: Master) -> list[str]:
    found, problems = attributes(tag.value), []
    codecs = [codec.strip() for codec in found.get("CODECS", "").split(",") if codec.strip()]
    if not codecs:
        problems.append("CODECS is missing")
    bandwidth, average = _whole(found, "BANDWIDTH"), _whole(found, "AVERAGE-BANDWIDTH")
    if bandwidth <= 0 or average > bandwidth:
        problems.append(f"BANDWIDTH {bandwidth}, AVERAGE-BANDWIDTH {average}")
    if any(codec.startswith(VIDEO_CODECS) for codec in codecs):
        problems += [
            f"{name} is missing" for name in ("RESOLUTION", "FRAME-RATE") if name not in found
        ]
    if "AUDIO" in found and not any(codec.startswith(AUDIO_CODECS) for codec in codecs):
        problems.append("an AUDIO group, but no codec of sound in CODECS")
    groups = {"AUDIO": master.audio, "SUBTITLES": master.subtitles}
    for name, members in groups.items():
        if name in found and found[name] not in {media.group for media in members}:
            problems.append(f"there is no {name} group {found[name]!r}")
    return problems


def _whole(found: dict[str, str], name: str) -> int:
    return int(found[name]) if found.get(name, "").isdecimal() else 0


def _check_groups(tags: list[Tag]) -> list[str]:
    problems = []
    names: Counter[tuple[str, str, str]] = Counter()
    defaults: Counter[tuple[str, str]] = Counter()
    for tag in tags:
        found = attributes(tag.value)
        where = f"line {tag.line}:"
        missing = [name for name in ("TYPE", "GROUP-ID", "NAME") if name not in found]
        problems += [f"{where} {name} is missing" for name in missing]
        group = found.get("TYPE", ""), found.get("GROUP-ID", "")
        names[(*group, found.get("NAME", ""))] += 1
        if found.get("DEFAULT") == "YES":
            defaults[group] += 1
            if found.get("AUTOSELECT", "YES") != "YES":
                problems.append(f"{where} DEFAULT=YES with AUTOSELECT=NO")
        if group[0] == "SUBTITLES" and "URI" not in found:
            problems.append(f"{where} subtitles without URI")
        if VIDEO_PLAYLIST_NAME in f"/{found.get('URI', '')}":
            problems.append(f"{where} {found['URI']} looks like a video playlist")
    problems += [
        f"{name!r} stands {n} times in a group" for (*_, name), n in names.items() if n > 1
    ]
    problems += [f"{n} defaults in group {name!r}" for (_, name), n in defaults.items() if n > 1]
    return problems


def check_media(text: str) -> list[str]:
    """Check a media playlist (4.4.3, 4.4.4)."""
    try:
        lines, playlist = list(read_lines(text)), parse(text)
    except FormatError as error:
        return [str(error)]
    if not isinstance(playlist, MediaPlaylist):
        return ["not a media playlist"]
    tags = [line for line in lines if isinstance(line, Tag)]
    problems = _common(text, tags)
    problems += [
        f"line {tag.line}: {tag.name} belongs into multivariant playlists"
        for tag in tags
        if tag.name in ONLY_MASTER
    ]
    problems += _check_order(lines)
    problems += _check_durations(playlist)
    fragments = any(
        segment.uri.partition("?")[0].endswith((".m4s", ".mp4")) for segment in playlist.segments
    )
    if fragments and playlist.map_uri is None:
        problems.append("fragmented MP4 without EXT-X-MAP")
    needed = 6 if playlist.map_uri is not None else 3
    if playlist.version < needed:
        problems.append(f"EXT-X-VERSION {playlist.version}, {needed} is needed")
    if playlist.playlist_type not in ("VOD", "EVENT", None):
        problems.append(f"EXT-X-PLAYLIST-TYPE {playlist.playlist_type}")
    if playlist.playlist_type == "VOD" and not playlist.ended:
        problems.append("VOD without EXT-X-ENDLIST")
    if playlist.ended and not playlist.segments:
        problems.append("no segments")
    return problems


def check_growth(before: str, after: str) -> list[str]:
    """Check that a playlist that was read again only got longer (6.2.1, 6.2.2).

    Nothing of an EVENT playlist changes but its end; one with EXT-X-ENDLIST has none.
    """
    problems = check_media(after)
    if problems:
        return problems
    old, new = before.splitlines(), after.splitlines()
    if "#EXT-X-ENDLIST" in old:
        return [] if old == new else ["changed after EXT-X-ENDLIST"]
    if "#EXT-X-PLAYLIST-TYPE:EVENT" not in old:
        return ["neither EVENT nor ended, so what was listed may go"]
    for number, (line, now) in enumerate(zip(old, new, strict=False), 1):
        if line != now:
            return [f"line {number} was {line!r} and is {now!r}"]
    return [] if len(new) >= len(old) else [f"{len(old) - len(new)} lines are gone"]


def _check_order(lines: list[Tag | Uri]) -> list[str]:
    problems, uris = [], [line.line for line in lines if isinstance(line, Uri)]
    first, last = (uris[0], uris[-1]) if uris else (1 << 30, 0)
    informed = False
    for line in lines:
        if isinstance(line, Uri):
            informed = False
        elif line.name == "EXTINF":
            if informed:
                problems.append(f"line {line.line}: two EXTINF for one segment")
            informed = True
        elif line.name == "EXT-X-ENDLIST" and line.line < last:
            problems.append("segments behind EXT-X-ENDLIST")
        elif line.name in ("EXT-X-MAP", "EXT-X-MEDIA-SEQUENCE") and line.line > first:
            problems.append(f"{line.name} behind the first segment")
    if informed:
        problems.append("an EXTINF without a segment")
    return problems


def _check_durations(playlist: MediaPlaylist) -> list[str]:
    problems = []
    for number, segment in enumerate(playlist.segments):
        # Rounded to the nearest integer, halves up (4.4.3.1).
        if int(segment.duration + Fraction(1, 2)) > playlist.target_duration_s:
            problems.append(
                f"segment {number} lasts {float(segment.duration)} s,"
                f" EXT-X-TARGETDURATION is {playlist.target_duration_s}"
            )
        if segment.duration <= 0:
            problems.append(f"segment {number} lasts {float(segment.duration)} s")
    return problems


def check_presentation(master_text: str, media_texts: Mapping[str, str]) -> list[str]:
    """Check all playlists of a presentation; `media_texts` by the master's own URIs.

    Ours is stricter than the RFC: all video playlists must be cut at the same times,
    or players freeze at switches.
    """
    problems = check_master(master_text)
    if problems:
        return problems
    master = parse(master_text)
    if not isinstance(master, Master):
        return ["not a multivariant playlist"]
    sound = [variant.uri for variant in master.renditions if not variant.width_px]
    video = [variant.uri for variant in master.renditions if variant.width_px]
    others = [media.uri for media in (*master.audio, *master.subtitles)]
    playlists: dict[str, MediaPlaylist] = {}
    for uri in dict.fromkeys([*video, *sound, *others]):
        if uri not in media_texts:
            problems.append(f"{uri} is not there")
            continue
        said = check_media(media_texts[uri])
        problems += [f"{uri}: {sentence}" for sentence in said]
        playlist = parse(media_texts[uri]) if not said else None
        if isinstance(playlist, MediaPlaylist):
            playlists[uri] = playlist
    audio = {*sound, *(media.uri for media in master.audio)}
    timed = {uri: playlist for uri, playlist in playlists.items() if uri in {*video, *audio}}
    return problems + _check_agreement(timed, [uri for uri in video if uri in timed])


def _check_agreement(playlists: Mapping[str, MediaPlaylist], video: list[str]) -> list[str]:
    problems = []
    targets = {uri: playlist.target_duration_s for uri, playlist in playlists.items()}
    if len(set(targets.values())) > 1:
        problems.append(f"different target durations: {targets}")
    states = {(playlist.playlist_type, playlist.ended) for playlist in playlists.values()}
    if len(states) > 1:
        problems.append("some playlists have ended, others not")
    ends = {
        uri: [*accumulate(s.duration for s in playlist.segments)]
        for uri, playlist in playlists.items()
    }
    problems += [
        f"{uri} is cut otherwise than {video[0]}"
        for uri in video[1:]
        if ends[uri] != ends[video[0]]
    ]
    if video:
        length = ends[video[0]][-1] if ends[video[0]] else Fraction(0)
        problems += [
            f"{uri} is longer than the video by {float(times[-1] - length)} s"
            for uri, times in ends.items()
            if times and times[-1] > length + playlists[uri].target_duration_s
        ]
    return problems
