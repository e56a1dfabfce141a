"""Every form of an address that the contract names, asked for as a viewer."""

import asyncio
import os
import re
import shutil
from collections.abc import Iterator
from io import BytesIO

import httpx
import pytest
from PIL import Image

from telecine import clock
from telecine.delivery.answers import attachment
from telecine.domains.videos.signatures import sign
from tests.fixtures.broadcasting import OnAir, live_clip, make_live_stream, publishing
from tests.fixtures.customer import Customer, everywhere, finished
from tests.fixtures.live_rules import LiveRules
from tests.fixtures.media import FFMPEG, barcode_mp4
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

VTT = b"WEBVTT\n\n00:00.500 --> 00:01.500\nhello\n"
PLAYLIST, JSON, HTML = "application/vnd.apple.mpegurl", "application/json", "text/html"
MP4, JPEG, TEXT = "video/mp4", "image/jpeg", "text/vtt"

FILES = [
    ("hls/manifest.m3u8", PLAYLIST),
    ("hls/240p/manifest.m3u8", PLAYLIST),
    ("hls/240p/1-0.m4s", MP4),
    ("hls/240p/init-1.mp4", MP4),
    ("hls/240p/video-1-0.ts", "video/mp2t"),
    ("hls/captions/en.m3u8", PLAYLIST),
    ("mp4/source.mp4", MP4),
    ("mp4/240/source.mp4", MP4),
    ("mp4/1080/source.mp4", MP4),
    ("thumbnail.jpg", JPEG),
    ("captions/en.vtt", TEXT),
    ("chapters/en.vtt", TEXT),
    ("player.json", JSON),
    ("storyboard.vtt", TEXT),
]


@pytest.fixture(scope="module")
def customer(telecine_server: TelecineServer) -> Iterator[Customer]:
    with Customer(telecine_server) as customer:
        yield customer


@pytest.fixture(scope="module")
def viewer(telecine_server: TelecineServer) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=telecine_server.base_url,
        timeout=PATIENCE_S,
        event_hooks=LiveRules().hooks_now(),
    ) as client:
        yield client


@pytest.fixture(scope="module")
async def video(customer: Customer) -> str:
    video_id = customer.upload(barcode_mp4(frames=60))
    for kind in ("captions", "chapters"):
        path = f"/videos/{video_id}/{kind}/en"
        assert customer.http.post(path, files={"file": VTT}).is_success
    await finished(customer, video_id)

    async def complete() -> bool:
        answers = [customer.get(video_id, path).status_code for path, _ in FILES]
        return set(answers) == {200}

    await until(complete)
    return video_id


async def show(customer: Customer, video_id: str, *, public: bool) -> None:
    """Change whether a video is public, and wait until all know."""
    answer = customer.http.patch(f"/videos/{video_id}", json={"public": public})
    assert answer.is_success, answer.text
    wanted = 200 if public else 404
    await everywhere(lambda: customer.get(video_id, "thumbnail.jpg").status_code == wanted)


def token_of(customer: Customer, path: str) -> str:
    """Return a fresh token for a private media."""
    player: str = customer.http.get(path).json()["assets"]["player"]
    return player.partition("token=")[2]


def check(answer: httpx.Response, kind: str) -> None:
    assert answer.status_code == 200, f"{answer.url} {answer.text[:300]}"
    assert answer.headers["content-type"].partition(";")[0] == kind
    if kind != HTML:
        assert answer.headers["access-control-allow-origin"] == "*"


async def test_addresses_of_videos(customer: Customer, viewer: httpx.Client, video: str) -> None:
    await show(customer, video, public=True)
    for path, kind in FILES:
        check(customer.get(video, path), kind)
        check(viewer.head(f"/vod/{video}/{path}"), kind)
        check(customer.get(video, f"token/{'0' * 8}-0000-4000-8000-{'0' * 12}/{path}"), kind)
    for page in (f"/vod/{video}", f"/vod/{video}/", f"/{video}", f"/{video}/"):
        check(viewer.get(f"{page}"), HTML)
    assert "content-disposition" not in customer.get(video, "mp4/source.mp4").headers
    kept = customer.get(video, "mp4/source.mp4?dl=1").headers["content-disposition"]
    assert kept == attachment(customer.http.get(f"/videos/{video}").json()["title"], "mp4").decode()
    told = customer.get(video, "player.json").json()
    hls: str = customer.http.get(f"/videos/{video}").json()["assets"]["hls"]
    folder = hls.removesuffix("/hls/manifest.m3u8")
    assert told == {
        "id": video,
        "title": told["title"],
        "description": "",
        "video": {
            "poster": f"{folder}/thumbnail.jpg",
            "src": f"{folder}/hls/manifest.m3u8",
            "mp4": f"{folder}/mp4/source.mp4",
        },
        "panoramic": False,
        "chapters": {"en": f"{folder}/chapters/en.vtt"},
    }
    for unknown in (f"/vi{'0' * 22}", "/vod/viNone", "/vod/viNone/player.json"):
        assert viewer.get(f"{unknown}").status_code == 404


ASK_AGAIN, IMMUTABLE = "public, no-cache", "public, max-age=31536000, immutable"
A_DAY, A_MINUTE, PRIVATE = "public, max-age=86400", "public, max-age=60", "private, no-store"

KEPT = {
    "hls/manifest.m3u8": ASK_AGAIN,
    "hls/240p/manifest.m3u8": A_MINUTE,
    "hls/audio/audio.m3u8": A_MINUTE,
    "hls/240p/1-0.m4s": IMMUTABLE,
    "hls/240p/init-1.mp4": IMMUTABLE,
    "hls/audio/1-0.m4s": IMMUTABLE,
    "hls/audio/init-1.mp4": IMMUTABLE,
    "hls/240p/video-1-0.ts": IMMUTABLE,
    "mp4/source.mp4": A_DAY,
    "thumbnail.jpg": A_MINUTE,
}


async def test_how_long_caches_may_keep_them(customer: Customer, video: str) -> None:
    """Of a finished video; nothing of a private one, nothing that is not there."""
    await show(customer, video, public=True)
    for path, kept in KEPT.items():
        answer = customer.get(video, path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, kept), path
        etag = answer.headers["etag"]
        again = customer.get(video, path, **{"If-None-Match": etag})
        assert (again.status_code, again.headers["cache-control"]) == (304, kept), path
    for path in ("hls/240p/1-99.m4s", "hls/240p/init-2.mp4", "nothing"):
        missing = customer.get(video, path)
        assert missing.status_code == 404
        assert "max-age" not in missing.headers.get("cache-control", ""), path
    await show(customer, video, public=False)
    try:
        token = token_of(customer, f"/videos/{video}")
        for path in KEPT:
            answer = customer.get(video, f"token/{token}/{path}")
            assert (answer.status_code, answer.headers["cache-control"]) == (200, PRIVATE), path
    finally:
        await show(customer, video, public=True)


async def test_addresses_of_private_videos(
    customer: Customer, viewer: httpx.Client, video: str
) -> None:
    await show(customer, video, public=False)
    try:
        for path, kind in FILES:
            token = token_of(customer, f"/videos/{video}")
            assert customer.get(video, path).status_code == 404, path
            check(viewer.head(f"/vod/{video}/token/{token}/{path}"), kind)
            answer = customer.get(video, f"token/{token}/{path}")
            check(answer, kind)
            # The session that an answer names opens the others.
            header = {"x-token-session": answer.headers["x-token-session"]}
            check(customer.get(video, f"token/{token}/thumbnail.jpg", **header), JPEG)
        token = token_of(customer, f"/videos/{video}")
        told = customer.get(video, f"token/{token}/player.json").json()
        assert told["video"]["src"].endswith(f"/vod/{video}/token/{token}/hls/manifest.m3u8")
        for page in (f"/vod/{video}", f"/{video}", f"/vod/{video}/"):
            assert viewer.get(f"{page}").status_code == 404
            check(viewer.get(f"{page}?token={token}"), HTML)
    finally:
        await show(customer, video, public=True)


def program(name: str) -> str:
    """Return a program of the machine; without it the test is skipped, or fails in CI."""
    found = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin")
    if found is None:
        reason = f"{name} is not installed"
        if os.environ.get("TELECINE_REQUIRE_ALL"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.mark.parametrize("name", ["ours", "ffmpeg", "mpv"])
async def test_other_programs_play_them(customer: Customer, video: str, name: str) -> None:
    """As all that are built on ffmpeg: they follow what playlists say, and nothing more."""
    ffmpeg = str(FFMPEG) if name == "ours" else program(name)

    async def decoded(url: str) -> set[str]:
        return await (played_by_mpv if name == "mpv" else decoded_by_ffmpeg)(ffmpeg, url)

    await show(customer, video, public=True)
    master = f"{customer.http.base_url}/vod/{video}/hls/manifest.m3u8"
    for url in (master, f"{master}?format=ts"):
        assert {"h264", "aac"} <= await decoded(url)
    await show(customer, video, public=False)
    try:
        token = token_of(customer, f"/videos/{video}")
        private = master.replace("/hls/", f"/token/{token}/hls/")
        opened = customer.get(video, f"token/{token}/session").json()
        assert {"h264", "aac"} <= await decoded(f"{private}?avh={opened['session_token']}")
        again = private.replace(token, token_of(customer, f"/videos/{video}"))
        assert {"h264", "aac"} <= await decoded(again)
    finally:
        await show(customer, video, public=True)


async def decoded_by_ffmpeg(ffmpeg: str, url: str) -> set[str]:
    """Return the codecs that have been decoded to their end, without an error."""
    told = await output_of(
        *(ffmpeg, "-nostdin", "-v", "verbose", "-xerror", "-i", url),
        *("-map", "0:v:0", "-map", "0:a:0", "-f", "null", "-"),
    )
    # Debian's older one counts no errors: it stops at the first.
    assert set(re.findall(r"(\d+) decode errors", told)) <= {"0"}, told
    return set(re.findall(r"^\s*Stream #0:\d+.*? -> #0:\d+ \((\w+)", told, re.MULTILINE))


async def played_by_mpv(mpv: str, url: str) -> set[str]:
    """Return the codecs of what mpv has played to its end, as fast as it can."""
    told = await output_of(
        *(
            mpv,
            "--no-config",
            "--ytdl=no",
            "--vo=null",
            "--ao=null",
            "--untimed",
            "--ao-null-untimed",
        ),
        *("--hls-bitrate=max", url),
    )
    assert "Exiting... (End of file)" in told, told
    return set(re.findall(r"^ \(\+\) (?:Video|Audio) .*?\((\w+)", told, re.MULTILINE))


async def output_of(*command: str) -> str:
    """Return all that a program says that has to end well."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    told = output.decode(errors="replace")
    assert process.returncode == 0, told
    return told


PRIVATE_LIVE = [
    "/live/private/{token}/{id}.m3u8",
    "/private/{token}/{id}.m3u8",
    "/live/private/{token}/{id}_source/index.m3u8",
]


async def test_addresses_of_live_streams(
    telecine_server: TelecineServer, viewer: httpx.Client
) -> None:
    stream = await make_live_stream(telecine_server)
    async with publishing(stream.publish_url, live_clip()):

        async def on_air() -> bool:
            return viewer.get(stream.master_url).status_code == 200

        await until(on_air)
        for path in ("/live/{id}.m3u8", "/{id}.m3u8", "/{id}_source/index.m3u8"):
            check(viewer.get(path.format(id=stream.public_id)), PLAYLIST)
        for path in ("/live/{id}", "/live/{id}/", "/{id}"):
            check(viewer.get(path.format(id=stream.public_id)), HTML)
    await stream.complete()


async def test_addresses_of_private_live_streams(
    telecine_server: TelecineServer, customer: Customer, viewer: httpx.Client
) -> None:
    stream = await make_live_stream(telecine_server, public=False)

    def token() -> str:
        return token_of(customer, f"/live-streams/{stream.public_id}")

    def get(path: str, token: str, query: str = "", agent: str = "mine") -> httpx.Response:
        url = path.format(token=token, id=stream.public_id) + query
        return viewer.get(url, headers={"User-Agent": agent})

    give_picture(customer, stream)
    first = token()
    assert get(PRIVATE_LIVE[0], first).status_code == 404  # nobody broadcasts
    async with publishing(stream.publish_url, live_clip()):

        async def on_air() -> bool:
            return get(PRIVATE_LIVE[0], first).status_code == 200

        await until(on_air)
        assert get(PRIVATE_LIVE[0], first, agent="another").status_code == 404
        for path in PRIVATE_LIVE:
            fresh = token()
            check(get(path, fresh), PLAYLIST)
            assert get(path, fresh, agent="another").status_code == 404
        for path in (
            "/live/private/{token}/{id}/thumbnail.jpg",
            "/live/{id}/token/{token}/thumbnail.jpg",
            "/{id}/token/{token}/thumbnail.jpg",
        ):
            check(get(path, token()), JPEG)
            assert get(path, "0" * 36).status_code == 404
        opened = get("/live/private/{token}/{id}/session", fresh := token())
        check(opened, JSON)
        session = opened.json()["session_token"]
        assert get(PRIVATE_LIVE[0], fresh).status_code == 404
        check(get(PRIVATE_LIVE[0], fresh, f"?avh={session}", agent="another"), PLAYLIST)
        media = get(PRIVATE_LIVE[2], fresh, f"?avh={session}").text
        named = [line for line in media.splitlines() if ".m4s" in line or ".mp4" in line]
        assert named
        assert all(f"?avh={session}" in line for line in named), media
        signed = sign_with(telecine_server, stream)
        for agent in ("mine", "another"):
            check(get(PRIVATE_LIVE[0], signed, agent=agent), PLAYLIST)
            check(get(PRIVATE_LIVE[2], signed, agent=agent), PLAYLIST)
        check(get("/live/{id}", "", f"?token={signed}"), HTML)
        for path in ("/live/{id}", "/{id}"):
            check(get(path, "", f"?token={fresh}"), HTML)
            assert get(path, "").status_code == 404
    await stream.complete()


def sign_with(server: TelecineServer, stream: OnAir) -> str:
    """Return a signed token for a live stream, as a customer's server makes it."""
    bearer = {"Authorization": f"Bearer {server.operator_key}"}
    with httpx.Client(base_url=server.base_url, headers=bearer, timeout=PATIENCE_S) as operator:
        project = operator.get("/_/projects").json()["data"][0]["projectId"]
        made = operator.post(f"/_/projects/{project}/signing-keys", json={}).json()
    unsigned = f"{made['signingKeyId']}~{int(clock.now().timestamp()) + 60}~~"
    return sign(made["secret"], stream.public_id, unsigned)


def give_picture(customer: Customer, stream: OnAir) -> None:
    path = f"/live-streams/{stream.public_id}/thumbnail"
    answer = customer.http.post(path, files={"file": ("a.jpg", _jpeg())})
    assert answer.is_success, answer.text


def _jpeg() -> bytes:
    file = BytesIO()
    Image.new("RGB", (64, 36), "red").save(file, "JPEG")
    return file.getvalue()
