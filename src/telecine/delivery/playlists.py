"""Playlists, rendered from the plan: complete before a single frame is encoded.

RFC 8216bis. URIs are relative, so a private token in the path is inherited.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil

from telecine.delivery.media import AssetView, RenditionView
from telecine.delivery.texts import TextView
from telecine.domains.encodings.queries import AUDIO
from telecine.formats.hls.playlist import (
    VERSION,
    Master,
    Media,
    MediaPlaylist,
    Segment,
    Variant,
    render_master,
    render_media,
)
from telecine.pipeline.model import TIMESCALE, AudioRendition, Plan, VideoRendition
from telecine.pipeline.pace import in_time

MEDIA_TYPE = b"application/vnd.apple.mpegurl"

_AUDIO_GROUP = "audio"
_SUBTITLES_GROUP = "subs"
_TRANSPORT_QUERY = "?format=ts"
_TRANSPORT_VERSION = 4
_TRANSPORT_SHARE = Fraction(104, 100)  # headers of packets and ADTS
_TRANSPORT_FRAME_BITS = 140 * 8  # PES header, clock, delimiter, a last packet half full
_TRANSPORT_SEGMENT_BITS = 32 * 188 * 8  # tables, and whole sets of 16 packets
_BOXES_SHARE = Fraction(102, 100)  # moof and mdat headers of 2 s pieces, at 240p


def master(asset: AssetView, captions: Sequence[TextView] = (), *, transport: bool = False) -> str:
    """Return the master playlist: every rendition that can be watched, whatever is stored.

    With `transport` its children list MPEG-TS, which has the sound in every variant.
    """
    plan = asset.plan
    query = _TRANSPORT_QUERY if transport else ""
    audio_bps = _audio_bps(asset)
    listed = [*_order(asset), *([] if transport else _extra(asset))]
    variants = [_variant(asset, r, audio_bps, transport=transport) for r in listed]
    media = []
    if plan.audio is not None and variants and not transport:
        media.append(
            Media(
                group=_AUDIO_GROUP,
                name="Audio",
                uri=f"{AUDIO}/{AUDIO}.m3u8",
                default=True,
                channels=plan.audio.channels,
            )
        )
    elif plan.audio is not None and not variants:
        variants.append(
            Variant(
                uri=f"{AUDIO}/{AUDIO}.m3u8{query}",
                bandwidth_bps=audio_bps,
                average_bandwidth_bps=audio_bps,
                codecs=plan.audio.codecs,
            )
        )
    subtitles = [
        Media(
            group=_SUBTITLES_GROUP,
            name=track.label,
            uri=f"captions/{track.language}.m3u8{query}",
            language=track.language,
            default=track.default,
        )
        for track in captions
    ]
    if subtitles:
        variants = [replace(variant, subtitles=_SUBTITLES_GROUP) for variant in variants]
    return render_master(Master(renditions=variants, audio=media, subtitles=subtitles))


def lifetime(asset: AssetView) -> bytes:
    """Return how long a playlist of segments may be kept."""
    if asset.is_open:
        return b"public, max-age=1"  # less than it takes to grow
    return b"public, max-age=60" if asset.complete else b"public, max-age=10"


def _order(asset: AssetView) -> list[VideoRendition]:
    """Return what is listed, first what a player should start with.

    A rendition that no machine makes as fast as it is watched is listed once it is stored.

    While the ladder is young that is the rendition which is certainly there; later
    the middle one, which starts quickly on any line.
    """
    ready = [r for r in asset.plan.renditions if _is_there(asset.renditions[r.name])]
    renditions = [
        rendition
        for rendition in asset.plan.renditions
        if rendition in ready or in_time(asset.plan, rendition, asset.viewer_px_per_s)
    ]
    if not renditions:
        return []
    if len(ready) == len(renditions) or not ready:
        first = renditions[len(renditions) // 2]
    else:
        first = ready[-1]
    return [first, *(rendition for rendition in reversed(renditions) if rendition != first)]


def _extra(asset: AssetView) -> list[VideoRendition]:
    """Return the codecs beside H.264 of which every rung is stored, best rung first.

    Players pick a codec once and stay with it, so one with half of its rungs would keep them
    from the others. H.264 comes before them for those that do not look at CODECS.
    """
    rungs: dict[str, list[VideoRendition]] = {}
    for rendition in asset.plan.extra:
        rungs.setdefault(rendition.codec, []).insert(0, rendition)
    whole = [each for each in rungs.values() if all(r.name in asset.renditions for r in each)]
    return [rendition for each in whole for rendition in each]


def _is_there(rendition: RenditionView) -> bool:
    return rendition.stored or rendition.passthrough


def _audio_bps(asset: AssetView) -> int:
    if asset.plan.audio is None:
        return 0
    return asset.renditions[AUDIO].peak_bps or declared_audio_bps(asset.plan.audio)


def _variant(
    asset: AssetView, rendition: VideoRendition, audio_bps: int, *, transport: bool
) -> Variant:
    plan, view = asset.plan, asset.renditions[rendition.name]
    audio_average_bps = 0
    codecs = rendition.codecs
    if plan.audio is not None:
        audio_average_bps = asset.renditions[AUDIO].average_bps or plan.audio.bit_rate_bps
        codecs = f"{codecs},{plan.audio.codecs}"
    peak_bps = (view.peak_bps or declared_peak_bps(plan, rendition)) + audio_bps
    average_bps = (view.average_bps or rendition.max_rate_bps) + audio_average_bps
    if transport:
        more_bps = Fraction(_TRANSPORT_SEGMENT_BITS * 2, plan.target_duration_s)
        more_bps += _TRANSPORT_FRAME_BITS * (plan.frame_rate / rendition.rate_divisor + 8)
        peak_bps, average_bps = (
            round(_TRANSPORT_SHARE * rate_bps + more_bps) for rate_bps in (peak_bps, average_bps)
        )
    return Variant(
        uri=f"{rendition.name}/manifest.m3u8" + (_TRANSPORT_QUERY if transport else ""),
        bandwidth_bps=peak_bps,
        average_bandwidth_bps=average_bps,
        width_px=rendition.width_px,
        height_px=rendition.height_px,
        frame_rate=plan.frame_rate / rendition.rate_divisor,
        codecs=codecs,
        audio=None if plan.audio is None or transport else _AUDIO_GROUP,
    )


def declared_audio_bps(track: AudioRendition) -> int:
    """Return an upper bound of a segment's rate that holds before the sound is encoded."""
    return round(track.bit_rate_bps * 1.1)


def declared_peak_bps(plan: Plan, rendition: VideoRendition) -> int:
    """Return an upper bound of a segment's rate that holds before it is encoded.

    The rate control starts anew in every run: 90 % of its buffer may come on top of
    the maximal rate, at worst within a segment of half the target duration.
    """
    burst_bps = Fraction(9, 10) * rendition.buffer_bits / (Fraction(1, 2) * plan.target_duration_s)
    return round((rendition.max_rate_bps + burst_bps) * _BOXES_SHARE)


def video(asset: AssetView, *, transport: bool = False) -> str:
    """Return the media playlist of a video rendition; all have the same cuts."""
    plan = asset.plan
    cuts = [
        Fraction(plan.ticks(plan.piece_cuts[piece]), TIMESCALE) for piece in plan.segment_pieces
    ]
    return _media_playlist(asset, cuts, transport=transport)


def audio(asset: AssetView, *, transport: bool = False) -> str:
    """Return the media playlist of the audio; its segments end with whole packets."""
    track = asset.plan.audio
    if track is None:
        msg = "the plan has no audio"
        raise ValueError(msg)
    cuts = [
        Fraction(track.start_samples(packet), track.sample_rate_hz)
        for packet in track.segment_packets
    ]
    return _media_playlist(asset, cuts, transport=transport)


def captions(asset: AssetView, language: str, *, transport: bool = False) -> str:
    """Return the media playlist of captions: one segment, the whole file."""
    length_s = Fraction(asset.plan.ticks(asset.plan.piece_cuts[-1]), TIMESCALE)
    uri = f"{language}.hls.vtt" + (_TRANSPORT_QUERY if transport else "")
    return render_media(
        MediaPlaylist(
            target_duration_s=max(1, ceil(length_s)),
            segments=[Segment(uri, length_s)],
            version=_TRANSPORT_VERSION if transport else VERSION,
        )
    )


def _media_playlist(asset: AssetView, cuts: list[Fraction], *, transport: bool) -> str:
    pattern = f"video-{asset.epoch}-%d.ts" if transport else f"{asset.epoch}-%d.m4s"
    segments = [
        Segment(pattern % number, end - start)
        for number, (start, end) in enumerate(itertools.pairwise(cuts[: asset.arrived + 1]))
    ]
    return render_media(
        MediaPlaylist(
            target_duration_s=asset.plan.target_duration_s,
            segments=segments,
            map_uri=None if transport else f"init-{asset.epoch}.mp4",
            version=_TRANSPORT_VERSION if transport else VERSION,
            start=cuts[0],
            # What was published while it grew only ever gets longer, also at its end.
            playlist_type="VOD" if asset.growth is None else "EVENT",
            ended=not asset.is_open,
            from_start=asset.growth is not None,
        )
    )
