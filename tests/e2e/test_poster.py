"""The picture of a video before it plays, as its pixels on the screen."""

import io

import httpx
import pytest
from PIL import Image
from playwright.async_api import Page, expect

from tests.e2e.conftest import Upload
from tests.e2e.player_page import becomes, pixel
from tests.fixtures.broadcasting import make_live_stream
from tests.fixtures.customer import everywhere
from tests.fixtures.media import barcode_mp4
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

# In each quarter of the picture, away from the title, the bar and the button in the middle.
PLACES = {(150, 120): (210, 30, 40), (650, 120): (30, 180, 60),
          (150, 330): (40, 50, 200), (650, 330): (220, 200, 30)}  # fmt: skip


def quarters() -> bytes:
    """Return a JPEG with a colour in each of its quarters."""
    image = Image.new("RGB", (640, 360))
    for (x, y), colour in PLACES.items():
        left, top = 320 * (x > 400), 180 * (y > 225)
        image.paste(colour, (left, top, left + 320, top + 180))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.fixture(scope="module")
async def video_id(api: httpx.Client, upload: Upload) -> str:
    """A playable video with a picture of its customer's."""
    video_id = upload(barcode_mp4(frames=90), "With a picture")

    async def playable() -> bool:
        return bool(api.get(f"/videos/{video_id}/status").json()["encoding"]["playable"])

    await until(playable)
    files = {"file": ("a.jpg", quarters())}
    api.post(f"/videos/{video_id}/thumbnail", files=files).raise_for_status()

    def shown() -> bool:
        answer = httpx.get(f"{api.base_url}/vod/{video_id}/thumbnail.jpg")
        return answer.status_code == 200 and _is_ours(answer.content)

    await everywhere(shown)
    return video_id


def _is_ours(jpeg: bytes) -> bool:
    image = Image.open(io.BytesIO(jpeg)).convert("RGB").resize((800, 450))
    return all(_near(image.getpixel(place), colour) for place, colour in PLACES.items())


def _near(found: object, wanted: tuple[int, int, int]) -> bool:
    """Tell whether a colour is one that went through a JPEG."""
    assert isinstance(found, tuple)
    return all(abs(one - other) <= 12 for one, other in zip(found, wanted, strict=True))


async def poster_is_painted(page: Page) -> bool:
    found = [_near(await pixel(page, *place), colour) for place, colour in PLACES.items()]
    return all(found)


async def test_it_is_seen_until_the_video_plays(
    page: Page, api: httpx.Client, video_id: str
) -> None:
    await page.goto(f"{api.base_url}/vod/{video_id}?muted=true")
    await expect(page.get_by_role("button", name="Quality")).to_be_visible()
    await becomes(page, "window.telecinePlayer.video.readyState >= 2")
    # There is a first picture of the video as well, and it is not the one that is shown.
    await until(lambda: poster_is_painted(page))
    await page.keyboard.press("k")
    await becomes(page, "window.telecinePlayer.video.currentTime > 0.2")
    assert not await poster_is_painted(page)


@pytest.mark.parametrize("how", ["?hidePoster=true", "#hide-poster", "#autoplay"])
async def test_it_can_be_left_out(page: Page, api: httpx.Client, video_id: str, how: str) -> None:
    asked = "?muted=true" + (how if how.startswith("#") else how.replace("?", "&"))
    await page.goto(f"{api.base_url}/vod/{video_id}{asked}")
    await becomes(page, "window.telecinePlayer?.video.readyState >= 2")
    if how == "#autoplay":
        await becomes(page, "window.telecinePlayer.video.currentTime > 0.2")

    async def a_picture_of_the_video() -> bool:
        # Its frame number is light and dark, above what no colour of ours comes near to.
        shot = Image.open(io.BytesIO(await page.screenshot())).convert("L")
        row = {shot.getpixel((x, 180)) for x in range(0, 800, 8)}
        return len(row) > 10 and not await poster_is_painted(page)

    await until(a_picture_of_the_video)


async def test_a_private_one_is_seen_with_its_session(
    page: Page, api: httpx.Client, upload: Upload
) -> None:
    video_id = upload(barcode_mp4(frames=60), "Private picture")

    async def playable() -> bool:
        return bool(api.get(f"/videos/{video_id}/status").json()["encoding"]["playable"])

    await until(playable)
    files = {"file": ("a.jpg", quarters())}
    api.post(f"/videos/{video_id}/thumbnail", files=files).raise_for_status()
    api.patch(f"/videos/{video_id}", json={"public": False}).raise_for_status()
    folder = f"{api.base_url}/vod/{video_id}"
    await everywhere(lambda: httpx.get(f"{folder}/hls/manifest.m3u8").status_code == 404)
    await page.goto(api.get(f"/videos/{video_id}").json()["assets"]["player"])
    await until(lambda: poster_is_painted(page))


async def test_a_stream_that_nobody_broadcasts_shows_its_picture(
    page: Page, api: httpx.Client, telecine_server: TelecineServer
) -> None:
    stream = await make_live_stream(telecine_server)
    url = f"/live-streams/{stream.public_id}/thumbnail"
    api.post(url, files={"file": ("a.jpg", quarters())}).raise_for_status()
    await page.goto(f"{api.base_url}/live/{stream.public_id}")
    await becomes(page, "window.telecinePlayer?.state === 'waiting'")

    async def painted() -> bool:
        """The overlay of who waits darkens it: colours keep their order."""
        found = [await pixel(page, *place) for place in PLACES]
        strongest = [max(range(3), key=each.__getitem__) for each in found]
        wanted = [max(range(3), key=each.__getitem__) for each in PLACES.values()]
        return strongest == wanted and min(max(each) for each in found) > 40

    await until(painted)
