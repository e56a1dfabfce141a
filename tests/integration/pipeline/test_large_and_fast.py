"""The largest and fastest that people upload: 3840x2160 with 60 pictures a second."""

from fractions import Fraction

import pytest

from telecine.delivery.playlists import declared_peak_bps
from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.formats.mp4.fragment import read_init
from telecine.pipeline.conformance import check_video
from telecine.pipeline.encode import encode_chunk
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.probe import probe
from tests.fixtures.media import frame_numbers, make_barcode
from tests.integration.pipeline.test_conformance import track_of
from tests.integration.pipeline.test_encode import index_of, local
from tests.integration.pipeline.test_inputs import rates

pytestmark = pytest.mark.anyio

FRAMES = 16
LADDER = ["240p", "360p", "480p", "720p", "1080p", "2160p"]


async def test_4k_with_60_pictures_a_second_is_copied_and_encoded() -> None:
    """The top is offered as it is; encoded, it keeps its rate, size and level."""
    quick = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "12", "-pix_fmt", "yuv420p")
    path = make_barcode(
        "4k60.mp4",
        *("-vf", "scale=3840:2160:flags=neighbor", *quick, "-movflags", "+faststart"),
        frames=FRAMES,
        rate="60",
        audio=False,
    )
    runner = Runner(find_ffmpeg(None), "required")
    probed = await probe(runner, local(path), path.name)
    offered = plan(probed.probe)
    assert [rendition.name for rendition in offered.renditions] == LADDER
    assert [rendition.passthrough for rendition in offered.renditions] == [*[False] * 5, True]

    made = plan(probed.probe, PlanOptions(passthrough=False))
    assert made.frame_rate == Fraction(60)
    divisors = {rendition.name: rendition.rate_divisor for rendition in made.renditions}
    assert divisors == dict(zip(LADDER, (2, 2, 2, 1, 1, 1), strict=True))
    top = made.rendition("2160p")
    assert (top.size_px, top.level, top.codecs) == ((3840, 2160), "5.2", "avc1.640034")
    # Within the limits of memory and time that are set for such a source.
    encoded = await encode_chunk(
        runner, local(path), index_of(probed), probed.probe, made, ["240p", "2160p"], 0,
        made.segments,
    )  # fmt: skip
    for rendition in encoded:
        planned, track = made.rendition(rendition.name), track_of(rendition)
        init = read_init(rendition.init)
        assert (init.width_px, init.height_px) == planned.size_px
        shown = frame_numbers(rendition.init + b"".join(rendition.pieces))
        assert shown == list(range(0, FRAMES, planned.rate_divisor))
        checks = check_video(made, planned, track, rates(track, declared_peak_bps(made, planned)))
        assert [check for check in checks if not check.passed] == []
