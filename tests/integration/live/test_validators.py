"""What caches and browsers keep of live streams is asked about, and never shown when stale."""

import re

import httpx
import pytest

from tests.fixtures.broadcasting import OnAir, live_clip, make_live_stream, publishing
from tests.fixtures.customer import ASKED_TIMES
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CODINGS = ("identity", "gzip", "zstd")
SAME_IN_BOTH = ("content-length", "content-type", "etag", "cache-control", "vary")


async def there(client: httpx.AsyncClient, url: str) -> None:
    async def come() -> bool:
        return (await client.get(url)).status_code == 200

    await until(come)


async def waited(
    client: httpx.AsyncClient, method: str, url: str, headers: dict[str, str]
) -> httpx.Response:
    """Wait for a playlist that comes later, for longer where the encoder is late."""
    answer = await client.request(method, url, headers=headers)

    async def come() -> bool:
        nonlocal answer
        if answer.status_code == 503:
            answer = await client.request(method, url, headers=headers)
        return answer.status_code != 503

    await until(come)
    assert answer.status_code == 200
    return answer


async def ended(client: httpx.AsyncClient, stream: OnAir) -> None:
    """Complete an event, and wait until every process says so."""
    await stream.complete()

    async def everywhere() -> bool:
        told = [(await client.get(stream.playlist_url)).text for _ in range(ASKED_TIMES)]
        return all("#EXT-X-ENDLIST" in text for text in told)

    await until(everywhere)


async def test_playlists_are_validated_while_they_change(
    client: httpx.AsyncClient, telecine_server: TelecineServer
) -> None:
    stream = await make_live_stream(telecine_server)
    url = stream.playlist_url
    async with publishing(stream.publish_url, live_clip()):
        picture = f"{stream.master_url.removesuffix('.m3u8')}/thumbnail.jpg"
        for each in (stream.master_url, url, picture):
            await there(client, each)
        for each, lifetime in ((url, "no-cache"), (picture, "public, max-age=5")):

            async def not_modified(each: str = each, lifetime: str = lifetime) -> bool:
                """Ask twice between two parts, or two key frames: there is nothing new."""
                first = await client.get(each)
                again = await client.get(each, headers={"If-None-Match": first.headers["etag"]})
                if again.status_code == 200:
                    assert again.content != first.content
                    assert again.headers["etag"] != first.headers["etag"]
                    return False
                assert (again.status_code, again.content) == (304, b"")
                for name in ("etag", "cache-control", "vary"):
                    assert again.headers.get(name) == first.headers.get(name)
                assert again.headers["cache-control"] == lifetime
                return True

            await until(not_modified)
        # Who waits for more has the playlist of before, and gets another one.
        before = await client.get(url)
        for _ in range(4):
            hint = re.search(r'PRELOAD-HINT:TYPE=PART,URI="\w+-(\d+)\.(\d+)\.m4s"', before.text)
            assert hint is not None
            query = f"_HLS_msn={hint[1]}&_HLS_part={hint[2]}"
            known = {"If-None-Match": before.headers["etag"]}
            # The same from the application (which reads conditions) and from before it.
            for method, headers in (("GET", known), ("HEAD", {}), ("GET", {})):
                answer = await waited(client, method, f"{url}?{query}", headers)
                assert answer.headers["cache-control"] == "public, max-age=1"
                assert answer.headers["etag"] != before.headers["etag"]
            before = answer
    await stream.complete()


async def test_a_validator_is_of_one_text_in_one_coding(
    client: httpx.AsyncClient, telecine_server: TelecineServer
) -> None:
    stream = await make_live_stream(telecine_server)
    # All at once: what has ended stays for as long as it was.
    async with publishing(stream.publish_url, live_clip(), before=()):
        await there(client, stream.master_url)
        await there(client, stream.playlist_url)
        await ended(client, stream)
    tags = dict[str, set[tuple[str, str | None]]]()
    found = dict[tuple[str, str], set[str]]()
    for url in (stream.master_url, stream.playlist_url, f"{stream.playlist_url}?_HLS_skip=YES"):
        for coding in CODINGS:
            accepted = {"Accept-Encoding": coding}
            for _ in range(ASKED_TIMES):
                async with httpx.AsyncClient() as another:  # any of the processes
                    whole = await another.get(url, headers=accepted)
                    head = await another.head(url, headers=accepted)
                    etag = whole.headers["etag"]
                    known = accepted | {"If-None-Match": f'W/{etag}, "another"'}
                    same = await another.get(url, headers=known)
                    other = await another.get(url, headers=accepted | {"If-None-Match": '"b"'})
                assert (head.status_code, head.content) == (200, b"")
                for name in SAME_IN_BOTH:
                    assert head.headers[name] == whole.headers[name], name
                assert (same.status_code, same.content) == (304, b"")
                assert (other.status_code, other.content) == (200, whole.content)
                sent = (whole.text, whole.headers.get("content-encoding"))
                tags.setdefault(etag, set()).add(sent)
                found.setdefault((url, coding), set()).add(etag)
    # Whichever process answers.
    assert {len(sent) for sent in tags.values()} == {1}
    assert {len(each) for each in found.values()} == {1}
    assert len(set.union(*tags.values())) == len(tags) > len(CODINGS)


async def test_heads_of_private_streams_use_no_token_up(
    client: httpx.AsyncClient, telecine_server: TelecineServer
) -> None:
    stream = await make_live_stream(telecine_server, public=False)
    auth = (telecine_server.production_key, "")

    async def token() -> str:
        url = f"{telecine_server.base_url}/live-streams/{stream.public_id}"
        assets = (await client.get(url, auth=auth)).raise_for_status().json()["assets"]
        return str(assets["player"].partition("token=")[2])

    async with publishing(stream.publish_url, live_clip()):
        folder = f"{telecine_server.base_url}/live/private/{{}}"
        master = f"{folder}/{stream.public_id}.m3u8"

        async def on_air() -> bool:
            return (await client.head(master.format(await token()))).status_code == 200

        await until(on_air)
        fresh = await token()
        playlist = f"{folder}/{stream.public_id}_source/index.m3u8".format(fresh)
        for url in (playlist, master.format(fresh)):
            head = await client.head(url)
            assert head.status_code == 200
            assert head.headers["cache-control"] == "private, no-store"
        elsewhere = {"User-Agent": "another"}
        opened = await client.get(playlist, headers=elsewhere)  # nobody has used it
        assert opened.status_code == 200
        assert opened.headers["cache-control"] == "private, no-store"
    await stream.complete()
