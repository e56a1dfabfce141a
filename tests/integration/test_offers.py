"""What is offered of a video is what is there: rates in its playlist, and its MP4."""

from fractions import Fraction

import pytest

from telecine.formats.hls.playlist import Master, parse
from tests.fixtures.customer import MASTER, Customer, Stream, everywhere, finished
from tests.fixtures.media import barcode_mp4
from tests.fixtures.server import TelecineServer

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("server")]

AUDIO, MP4 = "audio/audio.m3u8", "mp4/source.mp4"


def average_bps(stream: Stream) -> Fraction:
    length_s = sum((each.duration for each in stream.playlist.segments), Fraction(0))
    return sum(map(len, stream.segments)) * 8 / length_s


async def test_an_average_is_that_of_the_bytes_and_the_mp4_can_be_refused(
    telecine_server: TelecineServer,
) -> None:
    with Customer(telecine_server) as customer:
        video_id = customer.upload(barcode_mp4(width_px=640, height_px=360))
        await finished(customer, video_id)
        shown = customer.watch(video_id)
        audio_bps = average_bps(shown.streams[AUDIO])
        measured_bps = {uri: average_bps(each) + audio_bps for uri, each in shown.streams.items()}

        def averages_are_right() -> bool:
            master = parse(customer.media(video_id, MASTER).decode())
            assert isinstance(master, Master)
            return all(
                abs((variant.average_bandwidth_bps or 0) / measured_bps[variant.uri] - 1) < 0.02
                for variant in master.renditions
            )

        await everywhere(averages_are_right)
        for wish, status in ((False, 404), (True, 200)):
            answer = customer.http.patch(f"/videos/{video_id}", json={"mp4Support": wish})
            assert answer.status_code == 200
            await everywhere(lambda: customer.get(video_id, MP4).status_code == status)  # noqa: B023
