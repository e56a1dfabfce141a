"""`telecine upload` of a movie whose index comes last: viewers do not wait for its end."""

from pathlib import Path

import pytest

from telecine.processes.exits import Exit
from tests.fixtures.customer import Customer, finished
from tests.fixtures.growing import Growing
from tests.fixtures.media import frame_numbers
from tests.fixtures.proxy import proxy_to
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import until
from tests.integration.cli.test_upload_trouble import MIB, Commands

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

FRAMES = 150
LOWEST = "240p/manifest.m3u8"


def spread(movie: bytes) -> bytes:
    """Return a movie with its samples in the first part, nothing in the second, its index last."""
    index, nothing = movie.rindex(b"moov") - 4, bytes(10 * MIB - 8)
    assert index < 5 * MIB
    return movie[:index] + (len(nothing) + 8).to_bytes(4, "big") + b"free" + nothing + movie[index:]


async def test_a_movie_with_its_index_at_the_end_plays_before_its_upload_ends(
    telecine_server: TelecineServer, tmp_path: Path, moov_last_clip: Path
) -> None:
    commands = Commands(telecine_server, tmp_path)
    commands.path = commands.path.rename(tmp_path / f"{tmp_path.name}.mp4")
    commands.path.write_bytes(spread(moov_last_clip.read_bytes()))
    with Customer(telecine_server) as customer:
        async with proxy_to(telecine_server.base_url) as proxy:
            held = proxy.slow(b"part 2/3", MIB)
            with commands.begun(proxy.authority, "--parallel", "1") as process:
                await held.happened.wait()
                (video_id,) = commands.videos()
                assert commands.parts(video_id) == [1, 3]
                viewer = Growing(customer, b"", video_id=video_id)
                early = await viewer.playable(LOWEST, 2)
                assert (viewer.status(), early.ended) == (("uploading", True), False)
                first = [viewer.segment(LOWEST, number) for number in range(2)]
                joined = viewer.init(LOWEST) + b"".join(first)
                assert frame_numbers(joined) == list(range(FRAMES))
                assert process.poll() is None
                held.released.set()
                done = await commands.ended(process)
        assert done.status == Exit.DONE, done.err

        async def uploaded() -> bool:
            return viewer.status()[0] == "uploaded"

        await until(uploaded)
        await finished(customer, video_id)
        assert viewer.playlist(LOWEST).ended
        assert [viewer.segment(LOWEST, number) for number in range(2)] == first
    commands.check(done)
