"""Viewers who come before anything but the first segments is encoded, and go where they like.

How long they wait is not looked at: each segment is encoded while its viewer waits.
"""

import itertools
import random
import statistics
from collections.abc import Iterator

import psycopg
import pytest

from telecine.db.embedded import running_url
from tests.e2e.embedding import near_browser, page_with
from tests.e2e.test_other_players import PLAYERS, WATCH, library, pictures_off, plays
from tests.e2e.test_random_switching import AHEAD_S, AT_RANDOM, CODES, SOURCES, Source, dice
from tests.e2e.test_switching import watched
from tests.e2e.watching import MOST_PICTURES, slipped
from tests.fixtures.customer import MASTER, Customer
from tests.fixtures.server import running_telecine
from tests.fixtures.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.node,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

SEEKS = 5
# A segment that is waited for brings its stretch of the ladder forward: that waits, too.
PUT_OFF = """
CREATE FUNCTION put_off() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.scheduled_at := now() + interval '1 day'; RETURN NEW; END $$;
CREATE TRIGGER put_off BEFORE INSERT OR UPDATE ON procrastinate_jobs
    FOR EACH ROW WHEN (NEW.queue_name = 'ladder' AND NEW.status = 'todo')
    EXECUTE FUNCTION put_off();
"""


@pytest.fixture(scope="module")
def customer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Customer]:
    """A Telecine of one's own that encodes nothing but what viewers wait for."""
    data = tmp_path_factory.mktemp("on-demand") / "data"
    with running_telecine(data) as (_, server):
        url = running_url(data)
        assert url is not None
        with psycopg.connect(url) as connection:
            connection.execute(PUT_OFF)
        with Customer(server) as customer:
            yield customer


async def published(customer: Customer, film: Source) -> str:
    """Upload a film; return the id of its video once it can be played."""
    video_id = customer.upload(film.make())

    async def playable() -> bool:
        return customer.get(video_id, MASTER).status_code == 200

    await until(playable)
    return video_id


def encoded(customer: Customer, video_id: str) -> set[str]:
    """Return the qualities that are complete."""
    qualities = customer.encoding(video_id)["qualities"]
    return {each["quality"] for each in qualities if each["status"] == "encoded"}


@pytest.mark.parametrize("source", ["encoded", "rare key frames"])
async def test_seeks_land_on_their_pictures(source: str, customer: Customer) -> None:
    film, order, widths = SOURCES[source], random.Random(13), set[int]()
    video_id = await published(customer, film)
    base_url = str(customer.http.base_url).rstrip("/")
    async with near_browser() as browser, page_with(browser, library("hls.js")) as page:
        await plays(page, PLAYERS["hls.js"][2], f"{base_url}/vod/{video_id}/hls/manifest.m3u8")
        await page.evaluate(WATCH)
        assert "360p" not in encoded(customer, video_id)
        for _ in range(SEEKS):
            at_s, quality = order.uniform(0, film.seconds - 2), order.randrange(film.qualities)
            off = await pictures_off(page, at_s, quality, widths)
            # A busy machine is asked for a picture when it shows a later one already.
            assert abs(statistics.median(off)) <= MOST_PICTURES, (at_s, off)


@pytest.mark.parametrize("source", ["encoded", "rare key frames"])
@pytest.mark.parametrize("name", ["hls.js", "shaka-player"])
async def test_switches_lose_nothing(name: str, source: str, customer: Customer) -> None:
    film = SOURCES[source]
    video_id = await published(customer, film)
    steps = AT_RANDOM.replace("STEPS", str([list(step) for step in dice(7, film)]))
    code = f"async (url) => {{ {steps} return await ({CODES[name]})(url); }}"
    code = code.replace("AHEAD", str(AHEAD_S))
    assert "360p" not in encoded(customer, video_id)
    async with near_browser() as browser:
        url = f"{str(customer.http.base_url).rstrip('/')}/vod/{video_id}/hls/manifest.m3u8"
        seen = await watched(browser, library(name), code, url)
    assert len(seen.buffered) == 1, f"holes between {seen.buffered}"
    assert seen.buffered[0][1] == pytest.approx(film.seconds, abs=1 / film.rate_hz)
    assert slipped(seen.frames, film.rate_hz) == []
    steps_seen = list(itertools.pairwise(seen.frames))
    assert not [step for step in steps_seen if step[1][2] < step[0][2]], "it ran backwards"
    assert max(step[1][1] - step[0][1] for step in steps_seen) < min(film.durations_s), "a hole"
