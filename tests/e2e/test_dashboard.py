"""The dashboard, as whoever runs the place uses it."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Page, Request, Route, ViewportSize, expect

from tests.e2e.conftest import Upload
from tests.e2e.firefox import firefox
from tests.e2e.player_page import becomes
from tests.e2e.test_accessibility import is_fine
from tests.fixtures.media import barcode_mp4, padded
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import until, until_now
from tests.integration.test_bad_media import undecodable

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

NARROW = ViewportSize(width=390, height=844)
WIDE = ViewportSize(width=1440, height=900)
PART_BYTES = 64 << 20
NO_FILM = "The file cannot be read as video or sound"


@pytest.fixture
async def page(page: Page, telecine_server: TelecineServer) -> AsyncIterator[Page]:
    """A page that asks nobody but its own server, and breaks no rule of its own."""
    complaints: list[str] = []
    own = urlsplit(telecine_server.base_url).netloc

    def look(request: Request) -> None:
        if urlsplit(request.url).netloc not in {own, ""}:
            complaints.append(request.url)

    page.on("request", look)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if "Security Policy" in said.text else None,
    )
    await page.set_viewport_size(WIDE)
    yield page
    assert complaints == []


@pytest.fixture(scope="session")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dashboard") / "broken.mp4"
    path.write_bytes(b"This is no film. " * 4000)
    return path


@pytest.fixture
def failed(api: httpx.Client, upload: Upload, broken: Path) -> str:
    """The id of a video that has failed."""
    video_id = upload(broken, "A letter")

    def over() -> bool:
        encoding = api.get(f"/videos/{video_id}/status").json()["encoding"]
        return [each["status"] for each in encoding["qualities"]] == ["failed"]

    until_now(over)
    return video_id


async def sign_in(
    page: Page, server: TelecineServer, path: str = "", *, operator: bool = True
) -> None:
    await page.goto(f"{server.base_url}/dashboard{path}")
    await page.get_by_label("API key").fill(server.production_key)
    if operator:
        await page.get_by_text("Operator key (optional)").click()
        await page.get_by_label("Operator key", exact=True).fill(server.operator_key)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()


async def test_a_wrong_key_is_told_and_a_right_one_lets_in(
    page: Page, telecine_server: TelecineServer
) -> None:
    await page.goto(f"{telecine_server.base_url}/dashboard")
    await page.get_by_label("API key").fill("a-key-of-nobody")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("does not know the key")
    await page.get_by_label("API key").fill(telecine_server.sandbox_key)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("banner")).to_contain_text("Sandbox")
    await page.reload()
    await expect(page.get_by_role("banner")).to_contain_text("Sandbox")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading")).to_have_text("Sign in to Telecine")
    assert await page.evaluate("JSON.stringify(sessionStorage)") == "{}"
    await sign_in(page, telecine_server)
    await expect(page.get_by_role("banner")).to_contain_text("Production")


async def test_a_session_is_renewed_and_ends_when_that_is_refused(
    page: Page, telecine_server: TelecineServer
) -> None:
    await sign_in(page, telecine_server)
    damage = """(names) => {
      const session = JSON.parse(sessionStorage['telecine.session']);
      for (const name of names) session[name] = 'over';
      sessionStorage['telecine.session'] = JSON.stringify(session);
    }"""
    await page.evaluate(damage, ["access"])
    await page.reload()
    await expect(page.get_by_role("heading", name="Videos")).to_be_visible()
    await becomes(page, "JSON.parse(sessionStorage['telecine.session']).access !== 'over'")
    await page.evaluate(damage, ["access", "refresh"])
    await page.reload()
    await expect(page.get_by_text("Your session has ended")).to_be_visible()


async def test_a_file_is_uploaded_becomes_ready_and_is_deleted(
    page: Page, api: httpx.Client, telecine_server: TelecineServer, tmp_path: Path
) -> None:
    clip = tmp_path / "My <b>clip.mp4"
    film = barcode_mp4(frames=90, width_px=426, height_px=240).read_bytes()
    clip.write_bytes(padded(film, PART_BYTES + 60_000))
    ranges: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/source") and request.method == "POST":
            ranges.append(request.headers["content-range"])

    async def cut(route: Route) -> None:
        await route.abort("connectionreset")

    page.on("request", note)
    await page.route("**/videos/*/source", cut, times=1)
    await sign_in(page, telecine_server)
    await page.get_by_label("Files to upload").set_input_files(clip)
    uploads = page.get_by_role("region", name="Uploads")
    await uploads.get_by_role("link", name="Show").click()
    assert ranges == ["part 1/2", "part 1/2", "part 2/2"]
    await expect(page.get_by_role("heading", name="My <b>clip", level=1)).to_be_visible()
    await expect(page.get_by_role("status").get_by_text("Ready")).to_be_visible()
    player = page.frame_locator("iframe")
    await player.locator("video").wait_for()
    await expect(page.get_by_role("row", name="240p").first).to_contain_text("Encoded")
    await expect(page.get_by_role("region", name="Report").first).to_contain_text("passed")
    async with page.expect_download() as saved:
        await page.get_by_role("button", name="Uploaded file").click()
    assert (await (await saved.value).path()).read_bytes() == clip.read_bytes()
    async with page.expect_download() as saved:
        await page.get_by_role("button", name="MP4", exact=True).click()
    assert (await saved.value).suggested_filename.endswith(".mp4")

    video_id = page.url.rsplit("/", 1)[-1]
    await page.get_by_role("button", name="Delete", exact=True).click()
    await page.get_by_role("button", name="Keep it").click()
    await expect(page.get_by_role("dialog")).to_be_hidden()
    assert api.get(f"/videos/{video_id}").status_code == 200
    await page.get_by_role("button", name="Delete", exact=True).click()
    await page.get_by_role("button", name="Delete it").click()
    await expect(page.get_by_role("heading", name="Videos")).to_be_visible()
    assert api.get(f"/videos/{video_id}").status_code == 404
    await expect(page.locator(f"a[href$='{video_id}']")).to_have_count(1)  # among the uploads
    await page.go_back()
    await expect(page.get_by_role("heading", name="There is no such video")).to_be_visible()


async def test_a_video_that_waits_is_given_its_file(
    page: Page, api: httpx.Client, telecine_server: TelecineServer
) -> None:
    created = api.post("/videos", json={"title": "Still empty"}).raise_for_status().json()
    await sign_in(page, telecine_server, f"/videos/{created['videoId']}", operator=False)
    await expect(page.get_by_role("status").get_by_text("Waiting for a file")).to_be_visible()
    clip = barcode_mp4(frames=90, width_px=426, height_px=240)
    await page.get_by_label("File to upload").set_input_files(clip)
    await expect(page.get_by_role("status").get_by_text("Ready")).to_be_visible()
    await page.frame_locator("iframe").locator("video").wait_for()


async def test_a_failed_video_tells_why_and_is_tried_again(
    page: Page, api: httpx.Client, telecine_server: TelecineServer, failed: str
) -> None:
    operator = {"Authorization": f"Bearer {telecine_server.operator_key}"}

    def started() -> str:
        reply = httpx.get(f"{telecine_server.base_url}/_/videos/{failed}/jobs", headers=operator)
        return str(reply.raise_for_status().json()["steps"][0]["startedAt"])

    before = started()
    await sign_in(page, telecine_server, f"/videos/{failed}", operator=False)
    alert = page.get_by_role("alert").filter(has_text="Why it failed")
    await expect(alert).to_contain_text("told to whoever has the operator key")
    await page.get_by_label("Operator key").fill("another")
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_text("not the operator key of this server")).to_be_visible()
    await page.get_by_label("Operator key").fill(telecine_server.operator_key)
    await page.keyboard.press("Enter")
    await expect(alert).to_contain_text(NO_FILM)
    steps = page.get_by_role("region", name="What is being done")
    await expect(steps).to_contain_text("Look at the file")
    await expect(steps).to_contain_text("attempt 1 of 5")
    await expect(steps).to_contain_text("The uploaded file is kept")
    await page.get_by_role("button", name="Retry").click()
    await expect(page.get_by_text("It is tried again.")).to_be_visible()

    async def again() -> bool:
        return started() != before

    await until(again)
    await expect(alert).to_contain_text(NO_FILM)


async def test_an_encode_that_failed_shows_its_log(
    page: Page, telecine_server: TelecineServer, upload: Upload, tmp_path: Path
) -> None:
    video_id = upload(undecodable(tmp_path), "Noise")
    await sign_in(page, telecine_server, f"/videos/{video_id}")
    alert = page.get_by_role("alert").filter(has_text="Why it failed")
    await expect(alert).to_contain_text("No picture of this part of the video can be decoded.")
    log = page.get_by_role("region", name="Log of: Encode pictures, part 1")
    await expect(log).to_contain_text("Invalid data found")
    await is_fine(page)


async def test_it_is_used_by_keys_alone(
    page: Page, telecine_server: TelecineServer, failed: str
) -> None:
    async def go_to(name: str) -> None:
        for _ in range(60):
            await page.keyboard.press("Tab")
            label = "document.activeElement.ariaLabel || document.activeElement.textContent"
            if name in await page.evaluate(label):
                ring = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert ring == "solid", name
                return
        pytest.fail(f"{name} is not reached")

    await sign_in(page, telecine_server)
    await go_to("Skip to the content")
    await page.keyboard.press("Enter")
    await go_to("Search titles")
    await page.keyboard.type("a letter")
    await expect(page.locator(f"a[href$='{failed}']")).to_contain_text(NO_FILM)
    await go_to("A letter")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Why it failed")).to_be_visible()
    await go_to("Delete")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await expect(page.get_by_role("button", name="Delete")).to_be_focused()


async def test_titles_are_searched_and_pages_turned(
    page: Page, api: httpx.Client, telecine_server: TelecineServer, failed: str
) -> None:
    for number in range(21):
        api.post("/videos", json={"title": f"Episode {number:02} & more"}).raise_for_status()
    await sign_in(page, telecine_server)
    row = page.locator(f"a[href$='{failed}']")
    await page.get_by_label("Search titles").fill("a letter")
    await expect(row).to_contain_text(NO_FILM)
    await page.get_by_label("Search titles").fill("& more")
    await expect(page.get_by_text("Page 1 of 2")).to_be_visible()
    await expect(page.get_by_text("Waiting for a file")).to_have_count(20)
    await page.get_by_role("link", name="Next").click()
    await expect(page.get_by_text("Page 2 of 2")).to_be_visible()
    await expect(page.get_by_text("Episode 00 & more")).to_be_visible()
    assert re.search(r"title=%26\+more&page=2", page.url)
    await page.reload()
    await expect(page.get_by_text("Episode 00 & more")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_text("Episode 20 & more")).to_be_visible()
    await page.get_by_label("Search titles").fill("nobody has called it so")
    await expect(page.get_by_role("heading", name="No title contains")).to_be_visible()


async def test_a_private_video_plays_by_its_token(
    page: Page, api: httpx.Client, telecine_server: TelecineServer, upload: Upload
) -> None:
    video_id = upload(barcode_mp4(frames=90, width_px=426, height_px=240), "Private")
    api.patch(f"/videos/{video_id}", json={"public": False}).raise_for_status()
    await sign_in(page, telecine_server, f"/videos/{video_id}")
    await expect(page.get_by_role("status").get_by_text("Ready")).to_be_visible()
    video = page.frame_locator("iframe").locator("video")
    await video.wait_for()

    async def plays() -> bool:
        ready: int = await video.evaluate("(video) => video.readyState")
        return ready >= 2

    await until(plays)


async def test_a_server_that_is_away_is_told_and_asked_again(
    page: Page, telecine_server: TelecineServer, failed: str
) -> None:
    async def cut(route: Route) -> None:
        await route.abort("connectionrefused")

    await sign_in(page, telecine_server)
    await expect(page.locator(f"a[href$='{failed}']")).to_be_visible()
    await page.route("**/videos?*", cut)
    await page.reload()
    await expect(page.get_by_role("alert")).to_contain_text("The server does not answer.")
    await page.unroute("**/videos?*")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator(f"a[href$='{failed}']")).to_be_visible()
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_an_empty_project_says_how_to_upload(
    page: Page, api: httpx.Client, telecine_server: TelecineServer
) -> None:
    async def none(route: Route) -> None:
        pagination = {"currentPage": 1, "pagesTotal": 1, "itemsTotal": 0}
        await route.fulfill(json={"data": [], "pagination": pagination})

    await page.route("**/videos?*", none)
    await sign_in(page, telecine_server)
    await expect(page.get_by_role("heading", name="There is no video yet")).to_be_visible()
    command = await page.locator(".empty code").text_content()
    assert command is not None
    assert command.startswith(f'curl -u "$KEY": {telecine_server.base_url}/tus ')
    # What the line asks for is what the server understands.
    headers = {"Upload-Complete": "?1", "Content-Disposition": 'attachment; filename="clip.mp4"'}
    clip = barcode_mp4(frames=90, width_px=426, height_px=240).read_bytes()
    made = api.post("/tus", content=clip, headers=headers)
    assert (made.status_code, made.json()["title"]) == (201, "clip.mp4")
    await is_fine(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
async def test_axe_finds_nothing_serious(
    page: Page,
    telecine_server: TelecineServer,
    failed: str,
    wide_video: str,
    size: ViewportSize,
    scheme: str,
) -> None:
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.set_viewport_size(size)
    await page.goto(f"{telecine_server.base_url}/dashboard")
    await page.get_by_text("Operator key (optional)").click()
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_have_text("Enter an API key.")
    await is_fine(page)
    await sign_in(page, telecine_server)
    await page.get_by_label("Search titles").fill("a letter")
    await expect(page.locator(f"a[href$='{failed}']")).to_contain_text(NO_FILM)
    await is_fine(page)
    await page.locator(f"a[href$='{failed}']").click()
    await expect(page.get_by_role("heading", name="Why it failed")).to_be_visible()
    await is_fine(page)
    await page.get_by_role("button", name="Delete", exact=True).click()
    await is_fine(page)
    await page.get_by_role("button", name="Keep it").click()
    await page.get_by_role("link", name="Videos", exact=True).click()
    await page.get_by_label("Search titles").fill("controls")
    await page.locator(f"a[href$='{wide_video}']").click()
    await expect(page.get_by_role("heading", name="Qualities")).to_be_visible()
    await page.get_by_text(re.compile(r"steps? (is|are) done")).click()
    await is_fine(page)


async def test_it_fits_narrow_windows(
    page: Page, telecine_server: TelecineServer, failed: str, wide_video: str
) -> None:
    """WCAG 1.4.10: nothing scrolls sideways at 320 pixels."""

    async def fits() -> None:
        over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert over <= 0, page.url

    await page.set_viewport_size({"width": 320, "height": 640})
    await page.goto(f"{telecine_server.base_url}/dashboard")
    await page.get_by_text("Operator key (optional)").click()
    await fits()
    await sign_in(page, telecine_server)
    await page.get_by_label("Search titles").fill("a letter")
    await expect(page.locator(f"a[href$='{failed}']")).to_contain_text(NO_FILM)
    await fits()
    for video_id in (failed, wide_video):
        await page.goto(f"{telecine_server.base_url}/dashboard/videos/{video_id}")
        await expect(page.get_by_role("heading", name="Facts")).to_be_visible()
        await fits()


async def test_it_works_in_firefox(
    telecine_server: TelecineServer, failed: str, tmp_path: Path
) -> None:
    async with firefox(tmp_path) as browser:
        await browser.call(
            "WebDriver:Navigate", url=f"{telecine_server.base_url}/dashboard/videos/{failed}"
        )
        await browser.becomes("page.document.querySelectorAll('input[type=password]').length > 0")
        keys = [telecine_server.production_key, telecine_server.operator_key]
        typed = f"""(() => {{
          const fields = [...document.querySelectorAll('input[type=password]')];
          {json.dumps(keys)}.forEach((key, at) => {{
            fields[at].value = key;
            fields[at].dispatchEvent(new Event('input', {{bubbles: true}}));
          }});
          document.querySelector('form').requestSubmit();
          return true;
        }})()"""
        assert await browser.evaluate(typed)
        await browser.becomes(f"document.body.textContent.includes({json.dumps(NO_FILM)})")
