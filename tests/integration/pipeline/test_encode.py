"""Chunks that are encoded alone, in any order, join to exactly the source's pictures."""

import asyncio
import random
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import MediaError, Runner
from telecine.formats.mp4.fragment import Fragment, FragmentSplitter, read_init, read_moof
from telecine.pipeline.collector import EncodedRendition, Piece
from telecine.pipeline.encode import encode_chunk
from telecine.pipeline.model import TIMESCALE, Plan
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.probe import Probed, probe
from telecine.pipeline.sample_index import SampleIndex
from telecine.storage.spool import LocalFile
from tests.fixtures.waiting import PATIENCE_S
from tests.integration.pipeline.clips import HEIGHT_PX, WIDTH_PX, Clip, decode

pytestmark = pytest.mark.anyio

X264 = ("-c:v", "libx264", "-preset", "veryfast")

# Clips long enough for several chunks; kinds of sources are in `test_inputs`.
CLIPS = (
    Clip(name="long-gop.mp4"),
    Clip(name="ntsc.mp4", rate="30000/1001"),
    Clip(name="open-gop.mp4", video=(*X264, "-g", "50", "-x264-params", "open-gop=1:bframes=3")),
    Clip(name="edited.mp4", before=("-ss", "1.4")),
    Clip(name="hevc.mp4", video=("-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
                                 "log-level=none:keyint=60")),
    Clip(name="transport.ts"),
    Clip(name="intra.mov", video=("-c:v", "mjpeg", "-q:v", "3"), audio=("-c:a", "pcm_s16le")),
)  # fmt: skip


@pytest.fixture
def runner() -> Runner:
    return Runner(find_ffmpeg(None), "required")


def local(path: Path) -> LocalFile:
    return LocalFile(path, path.stat().st_size)


def index_of(probed: Probed) -> SampleIndex | None:
    data = probed.sample_index
    return None if data is None else SampleIndex.from_bytes(memoryview(data))


async def encode_in_pieces(
    runner: Runner, path: Path, probed: Probed, made: Plan, seed: int
) -> dict[str, EncodedRendition]:
    """Encode random stretches of segments in random order; join them."""
    order = random.Random(seed)
    edges = sorted({0, made.segments, *(order.randrange(made.segments) for _ in range(2))})
    runs = list(pairwise(edges))
    order.shuffle(runs)
    names = [rendition.name for rendition in made.renditions if not rendition.passthrough]
    parts: dict[int, list[EncodedRendition]] = {}
    for number, (first, end) in enumerate(runs):
        parts[first] = await encode_chunk(
            runner, local(path), index_of(probed), probed.probe, made, names, first, end,
            apart=number % 2 == 0,  # as for viewers, and as in the ladder
        )  # fmt: skip
    joined = {}
    for number, name in enumerate(names):
        pieces = [piece for first in sorted(parts) for piece in parts[first][number].pieces]
        inits = {parts[first][number].init for first in parts}
        assert len(inits) == 1, "init segments differ between runs"
        joined[name] = EncodedRendition(name, inits.pop(), pieces)
    return joined


def check_times(made: Plan, rendition: EncodedRendition) -> None:
    """Pieces follow each other without gap; every picture is at its place on the grid."""
    assert read_init(rendition.init).timescale == TIMESCALE
    divisor = made.rendition(rendition.name).rate_divisor
    assert len(rendition.pieces) == made.pieces
    for number, data in enumerate(rendition.pieces):
        (part,) = FragmentSplitter().feed(data)
        assert isinstance(part, Fragment)
        head = read_moof(part.moof)
        first, end = made.piece_cuts[number], made.piece_cuts[number + 1]
        frames = [frame for frame in range(first, end) if frame % divisor == 0]
        dts = head.decode_time + np.cumsum(head.samples.durations) - head.samples.durations
        pts = np.sort(dts + head.samples.composition_offsets).tolist()
        assert pts == [made.ticks(first), *(made.ticks(frame) for frame in frames[1:])]
        assert head.sequence == number + 1
        assert head.decode_time == pts[0]
        assert head.decode_time + head.samples.ticks == made.ticks(end)
        assert (head.samples.durations > 0).all()
        assert head.samples.keyframes.tolist() == [True] + [False] * (len(frames) - 1)
        assert head.samples.payload_bytes == len(part.payload)


def write(path: Path, rendition: EncodedRendition) -> Path:
    path.write_bytes(rendition.init + b"".join(rendition.pieces))
    return path


def wanted(clip: Clip, made: Plan, container: str) -> list[int]:
    """Return the picture that each frame of the grid shows."""
    offset = 42 if clip.before else 0
    pictures = [n for n in range(offset, clip.pictures) if not clip.drop or n % clip.drop]
    offset = pictures[0]
    shown, at = [], 0
    for frame in range(made.frames):
        while at + 1 < len(pictures) and pictures[at + 1] - offset <= frame:
            at += 1
        shown.append(pictures[at])
    return shown


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.name)
async def test_every_frame_is_the_right_one(runner: Runner, clip: Clip, tmp_path: Path) -> None:
    path = clip.make(tmp_path)
    probed = await probe(runner, local(path), clip.name)
    assert probed.probe.indexed == (path.suffix in (".mp4", ".mov"))
    made = plan(probed.probe, PlanOptions(passthrough=False))
    assert made.frame_rate == Fraction(clip.rate)
    full = clip.pictures - (42 if clip.before else 0) - (1 if clip.drop else 0)
    assert made.frames == full or clip.truncated
    encoded = await encode_in_pieces(runner, path, probed, made, seed=len(clip.name))
    for name, rendition in encoded.items():
        check_times(made, rendition)
        got = decode(write(tmp_path / f"{name}.mp4", rendition))
        assert got == wanted(clip, made, path.suffix)


async def test_half_rate_renditions_show_the_even_frames(runner: Runner, tmp_path: Path) -> None:
    clip = Clip(name="fast.mp4", rate="60", pictures=400)
    path = clip.make(tmp_path)
    probed = await probe(runner, local(path), clip.name)
    made = plan(probed.probe, PlanOptions(passthrough=False))
    encoded = await encode_in_pieces(runner, path, probed, made, seed=1)
    check_times(made, encoded["240p"])
    got = decode(write(tmp_path / "out.mp4", encoded["240p"]))
    assert got == list(range(0, 400, 2))


async def test_half_rate_pieces_at_odd_key_frames_begin_at_the_cut(
    runner: Runner, tmp_path: Path
) -> None:
    keys = "expr:eq(n,0)+eq(n,181)+eq(n,361)"
    clip = Clip(
        name="odd-keys.mp4",
        rate="60",
        pictures=560,
        size=(426, 240),
        video=(*X264, "-g", "999", "-sc_threshold", "0", "-force_key_frames", keys),
    )
    path = clip.make(tmp_path)
    probed = await probe(runner, local(path), clip.name)
    assert probed.probe.video is not None
    assert probed.probe.video.key_frames == (0, 181, 361)
    copied = plan(probed.probe)
    assert copied.renditions[0].passthrough
    # As if there were a rung below: same cuts, half the rate.
    fine = plan(probed.probe, PlanOptions(passthrough=False))
    cuts = {"piece_cuts": copied.piece_cuts, "segment_pieces": copied.segment_pieces}
    made = Plan(**{**{f: getattr(fine, f) for f in fine.__slots__}, **cuts})
    encoded = await encode_in_pieces(runner, path, probed, made, seed=2)
    check_times(made, encoded["240p"])
    got = decode(write(tmp_path / "out.mp4", encoded["240p"]), width_px=426, height_px=240)
    assert got == list(range(0, 560, 2))


async def test_a_rotated_phone_video_stands_upright(runner: Runner, tmp_path: Path) -> None:
    clip = Clip(name="turned.mp4", before=("-display_rotation", "90"), pictures=60)
    path = clip.make(tmp_path)
    probed = await probe(runner, local(path), clip.name)
    assert probed.probe.video_obstacles == ("rotated",)
    made = plan(probed.probe)
    assert (made.width_px, made.height_px) == (HEIGHT_PX, WIDTH_PX)
    encoded = await encode_in_pieces(runner, path, probed, made, seed=3)
    out = write(tmp_path / "out.mp4", encoded["240p"])
    # The option turns pictures a quarter to the left when shown: turned back, they read.
    assert decode(out, "transpose=clock") == list(range(60))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
async def test_all_rungs_come_from_one_decode(runner: Runner, tmp_path: Path, suffix: str) -> None:
    clip = Clip(name=f"two-rungs.{suffix}", size=(640, 360), pictures=100)
    path = clip.make(tmp_path)
    probed = await probe(runner, local(path), clip.name)
    made = plan(probed.probe, PlanOptions(passthrough=False))
    seen: list[tuple[str, int]] = []

    def note(piece: Piece) -> None:
        assert piece.init
        seen.append((piece.rendition, piece.number))

    names = ["240p", "360p"]
    encoded = await encode_chunk(
        runner, local(path), index_of(probed), probed.probe, made, names, 0, made.segments,
        on_piece=note,
    )  # fmt: skip
    assert [rendition.name for rendition in encoded] == names
    assert sorted(seen) == [(name, number) for name in names for number in range(made.pieces)]
    for rendition in encoded:
        check_times(made, rendition)
        out = write(tmp_path / f"{rendition.name}.mp4", rendition)
        assert decode(out, width_px=640, height_px=360) == list(range(100))


async def test_a_rung_has_one_header_whatever_it_is_made_beside(
    runner: Runner, tmp_path: Path
) -> None:
    """854 is not 16:9 and 640 is: what lies above a rung must not shape its pixels."""
    clip = Clip(name="three-rungs.mp4", size=(854, 480), pictures=30)
    path = clip.make(tmp_path)
    probed = await probe(runner, local(path), clip.name)
    made = plan(probed.probe, PlanOptions(passthrough=False))
    assert {"240p", "360p", "480p"} <= {rendition.name for rendition in made.renditions}
    inits = set()
    for names in (["240p"], ["240p", "360p"], ["240p", "480p"], ["240p", "360p", "480p"]):
        encoded = await encode_chunk(
            runner, local(path), index_of(probed), probed.probe, made, names, 0, 1
        )
        inits.add(encoded[0].init)
    assert len(inits) == 1


async def test_the_sandbox_mark_is_on_every_rung(runner: Runner, tmp_path: Path) -> None:
    clip = Clip(name="marked.mp4", pictures=40)
    path = clip.make(tmp_path)
    probed = await probe(runner, local(path), clip.name)
    made = plan(probed.probe, PlanOptions(watermarked=True))
    encoded = await encode_in_pieces(runner, path, probed, made, seed=4)
    plain = plan(probed.probe, PlanOptions(passthrough=False))
    unmarked = await encode_in_pieces(runner, path, probed, plain, seed=4)
    assert encoded["240p"].pieces != unmarked["240p"].pieces
    assert decode(write(tmp_path / "out.mp4", encoded["240p"])) == list(range(40))


async def test_a_damaged_stretch_holds_the_picture_before_it(
    runner: Runner, tmp_path: Path
) -> None:
    clip = Clip(name="damaged.mp4", pictures=280, video=(*X264, "-g", "60", "-bf", "2"), audio=())
    path = clip.make(tmp_path)
    probed = await probe(runner, local(path), clip.name)
    samples = index_of(probed)
    assert samples is not None
    assert samples.video is not None
    data = bytearray(path.read_bytes())
    for sample in range(120, 240):
        offset, size = int(samples.video.offsets[sample]), int(samples.video.sizes[sample])
        data[offset : offset + size] = bytes(size)
    path.write_bytes(data)
    made = plan(probed.probe, PlanOptions(passthrough=False))
    (encoded,) = await encode_chunk(
        runner, local(path), samples, probed.probe, made, ["240p"], 2, 3
    )
    held = decode(write(tmp_path / "out.mp4", encoded))
    assert held == [119] * 120


async def test_a_segment_inside_a_long_hold_shows_the_picture_before_it(
    runner: Runner, tmp_path: Path
) -> None:
    late = "setpts='(N+gte(N,20)*300)/30/TB',format=yuv420p"
    clip = Clip(name="slide.mp4", pictures=22, audio=(), late=late)
    path = clip.make(tmp_path)
    probed = await probe(runner, local(path), clip.name)
    made = plan(probed.probe, PlanOptions(passthrough=False))
    assert made.frames == 322
    (encoded,) = await encode_chunk(
        runner, local(path), index_of(probed), probed.probe, made, ["240p"], 2, 3
    )
    assert decode(write(tmp_path / "out.mp4", encoded)) == [19] * 120


async def test_garbage_instead_of_media_is_the_files_fault(runner: Runner, tmp_path: Path) -> None:
    clip = Clip(name="garbage.mp4", pictures=60, audio=())
    path = clip.make(tmp_path)
    probed = await probe(runner, local(path), clip.name)
    samples = index_of(probed)
    assert samples is not None
    assert samples.video is not None
    data = bytearray(path.read_bytes())
    for offset, size in zip(samples.video.offsets, samples.video.sizes, strict=True):
        data[offset : offset + size] = bytes(int(size))
    path.write_bytes(data)
    made = plan(probed.probe, PlanOptions(passthrough=False))
    with pytest.raises(MediaError, match=r"undecodable|unreadable"):
        await encode_chunk(runner, local(path), samples, probed.probe, made, ["240p"], 0, 1)


@dataclass(frozen=True)
class Held:
    """A file whose rest cannot be read before something has happened."""

    file: LocalFile
    from_byte: int
    happened: asyncio.Event
    local_path: None = None

    @property
    def size_bytes(self) -> int:
        return self.file.size_bytes

    async def read(self, offset: int, size_bytes: int, /) -> bytes:
        if offset >= self.from_byte:
            await self.happened.wait()
        return await self.file.read(offset, size_bytes)


async def test_pieces_that_are_encoded_apart_wait_for_nothing_behind_them(
    runner: Runner, tmp_path: Path
) -> None:
    """The encoder of all pieces would want to see twenty pictures more, this one sees four."""
    clip = Clip(name="apart.mp4", pictures=120, video=(*X264, "-g", "60", "-bf", "0"), audio=())
    path = clip.make(tmp_path)
    probed = await probe(runner, local(path), clip.name)
    samples = index_of(probed)
    assert samples is not None
    assert samples.video is not None
    made = plan(probed.probe, PlanOptions(passthrough=False))
    assert made.piece_cuts == (0, 60, 120)
    came = asyncio.Event()
    held = Held(local(path), int(samples.video.offsets[64]), came)
    async with asyncio.timeout(PATIENCE_S):
        (encoded,) = await encode_chunk(
            runner, held, samples, probed.probe, made, ["240p"], 0, 2,
            apart=True, on_piece=lambda piece: came.set(),
        )  # fmt: skip
    check_times(made, encoded)
    assert decode(write(tmp_path / "out.mp4", encoded)) == list(range(120))


async def test_pieces_of_half_the_rate_are_encoded_apart(runner: Runner, tmp_path: Path) -> None:
    clip = Clip(name="sixty.mp4", rate="60", pictures=300)
    path = clip.make(tmp_path)
    probed = await probe(runner, local(path), clip.name)
    made = plan(probed.probe, PlanOptions(passthrough=False))
    assert made.pieces > 2
    assert made.rendition("240p").rate_divisor == 2
    (encoded,) = await encode_chunk(
        runner, local(path), index_of(probed), probed.probe, made, ["240p"], 0, made.segments,
        apart=True,
    )  # fmt: skip
    check_times(made, encoded)
    assert decode(write(tmp_path / "out.mp4", encoded)) == list(range(0, 300, 2))
