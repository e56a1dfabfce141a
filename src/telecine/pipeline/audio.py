"""The encoded audio rendition: AAC-LC on one packet clock, made in long spans.

A span starts two packets early, so that the encoder has heard what comes before; its
first packets (and the priming packet of every AAC encode) are dropped. One seam in
five minutes is then inaudible.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fractions import Fraction

from telecine.ffmpeg.errors import MediaError
from telecine.ffmpeg.runner import Limits, Runner, input_url, output_url
from telecine.ffmpeg.safety import INPUT_FLAGS
from telecine.formats.codecs.aac import aac_stsd
from telecine.formats.codecs.adts import AdtsSplitter
from telecine.formats.mp4.fragment import audio_init
from telecine.pipeline.model import PACKET_SAMPLES, AudioRendition, Plan, Probe
from telecine.pipeline.reader import SourceReader

_PREROLL_PACKETS = 2
_POSTROLL_PACKETS = 1
_PRIMING_PACKETS = 1
_SEEK_EARLY_S = Fraction(1)
_AFTER_S = Fraction(1)
_DRIFT_S = 0.04
"""More than this is filled or cut: a lost packet or two, not the jitter of a container."""

_MEMORY_BYTES = 1 << 30
_CPU_FLOOR_S = 60


@dataclass(frozen=True, slots=True)
class EncodedAudio:
    """Bare AAC packets of PACKET_SAMPLES each."""

    packets: list[bytes]
    concealed: int = 0
    """How often the decoder met damage."""


OnPackets = Callable[[list[bytes]], Awaitable[None]]


def init_segment(audio: AudioRendition) -> bytes:
    """Return the init segment of an encoded rendition: the plan says all that is in it."""
    stsd = aac_stsd(audio.sample_rate_hz, audio.channels, bit_rate_bps=audio.bit_rate_bps)
    return audio_init(stsd, timescale=audio.sample_rate_hz)


def span_argv(
    probe: Probe, audio: AudioRendition, first_packet: int, end_packet: int
) -> tuple[list[str], int]:
    """Return ffmpeg's arguments for a span, and how many packets to drop."""
    preroll = min(_PREROLL_PACKETS, first_packet)
    argv = [
        *decoded_argv(
            probe,
            audio.sample_rate_hz,
            audio.channels,
            (first_packet - preroll) * PACKET_SAMPLES,
            end_packet * PACKET_SAMPLES,
            # The last packet reaches over the end: what comes there must be what it meets.
            _POSTROLL_PACKETS * PACKET_SAMPLES,
        ),
        "-c:a", "aac",
        "-b:a", str(audio.bit_rate_bps),
        "-map_metadata", "-1",
        # The raw stream: time stamps are ours, and every packet is seen.
        "-f", "adts",
        output_url(0),
    ]  # fmt: skip
    return argv, preroll + _PRIMING_PACKETS


def decoded_argv(
    probe: Probe, rate_hz: int, channels: int, start: int, end: int, postroll: int = 0
) -> list[str]:
    """Return ffmpeg's arguments for samples [start, end) of the sound, without an output.

    Sample 0 is at the video's time 0; there are exactly that many, and `postroll` more.
    """
    if probe.audio is None:
        msg = "the source has no audio"
        raise ValueError(msg)
    # Container time of our time 0: the first shown picture, or the first sound.
    zero_s = probe.video.start_s if probe.video else probe.audio.zero_s
    seek_s = zero_s + Fraction(start, rate_hz) - _SEEK_EARLY_S
    begins_s = zero_s - _before_s(probe)
    seek = ["-noaccurate_seek", "-seek_timestamp", "1", "-ss", f"{float(seek_s):.6f}"]
    # Sound that changes its rate or channels midway gets new filters, so two steps: the
    # first makes all of it equal, and only the second, which never changes, knows times.
    end_s = zero_s + Fraction(end, rate_hz) + _AFTER_S
    layout = {1: "mono", 2: "stereo"}[channels]
    equal = (
        f"atrim=end={float(end_s):.6f},aresample={rate_hz},"
        f"aformat=sample_fmts=fltp:channel_layouts={layout}"
    )
    graph = ",".join(
        (
            f"[dec:0]asetpts=PTS-({float(zero_s):.9f})/TB",
            # Gaps become silence and drift is pulled straight; what lies before the
            # span is dropped, what is missing at its start is silence.
            f"aresample={rate_hz}:async=1:min_hard_comp={_DRIFT_S}:first_pts={start}",
            "apad",
            f"atrim=end_pts={end + postroll}[a]",
        )
    )
    return [
        "-v", "warning",
        "-copyts",
        *INPUT_FLAGS,
        *(seek if seek_s > begins_s else []),
        *input_url(),
        "-map", f"0:a:{probe.audio.ordinal}",
        "-af", equal,
        "-c:a", "pcm_f32le",
        "-f", "null", "-",
        "-dec", "0:0",
        "-filter_complex", graph,
        "-map", "[a]",
    ]  # fmt: skip


def _before_s(probe: Probe) -> Fraction:
    """Return how much of the source lies before our time 0: a clip starts inside."""
    if probe.video is not None:
        return -min((0, *probe.video.key_frames[:1])) / probe.video.frame_rate
    return Fraction(0) if probe.audio is None else max(Fraction(0), -probe.audio.start_s)


async def encode_audio(
    runner: Runner,
    source: SourceReader,
    probe: Probe,
    plan: Plan,
    first_packet: int,
    end_packet: int,
    on_packets: OnPackets | None = None,
    niceness: int = 0,
) -> EncodedAudio:
    """Encode packets [first, end) of the plan's audio; exactly that many.

    `source` must be a local file. `on_packets` gets the packets as they are made, each once
    and in order; the encoder waits for it.

    Raises:
        MediaError: the audio cannot be decoded.
        RunnerError: the run was ended from outside, or by a limit on time.
    """
    audio = plan.audio
    if audio is None or source.local_path is None:
        msg = "an audio rendition and a local source are needed"
        raise ValueError(msg)
    argv, dropped = span_argv(probe, audio, first_packet, end_packet)
    splitter = AdtsSplitter()
    wanted = end_packet - first_packet
    chosen: list[bytes] = []
    made = 0

    async def take(data: bytes) -> None:
        nonlocal made
        packets = splitter.feed(data)
        fresh = packets[max(0, dropped - made) : max(0, dropped + wanted - made)]
        made += len(packets)
        chosen.extend(fresh)
        if fresh and on_packets is not None:
            await on_packets(fresh)

    span_s = wanted * PACKET_SAMPLES // audio.sample_rate_hz
    limits = Limits(
        cpu_s=_CPU_FLOOR_S + 4 * span_s,
        memory_bytes=_MEMORY_BYTES,
        wall_s=120.0 + 8 * span_s,
        niceness=niceness,
    )
    result = await runner.run(argv, limits=limits, input_file=source.local_path, outputs=[take])
    splitter.finish()
    if len(chosen) != wanted:
        reason = f"{made} packets for {wanted} and {dropped} to drop"
        raise MediaError("audio-incomplete", reason)
    return EncodedAudio(chosen, result.complaints.damage)
