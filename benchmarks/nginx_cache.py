"""Hit ratio of the documented nginx cache while many viewers watch one video.

Viewers come one after the other within a second, each fetches page, master, playlists, init and
every segment of one quality as players do (some change the quality midway). nginx runs with
`deploy/nginx.conf` and the cache beside it; what it says of each request is counted. A hit is
answered with nginx's own copy; told apart are those of which Telecine hears nothing, and those of
which it was asked whether they still are the same (REVALIDATED).
"""

import argparse
import asyncio
import random
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx

from measure import make_source
from player import is_stored
from serving import folder, machine, serving

DEPLOY = Path(__file__).parents[1] / "deploy"
WHOLE = """
worker_processes 2; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path {folder}/body; fastcgi_temp_path {folder}/fastcgi;
    proxy_temp_path {folder}/proxy; scgi_temp_path {folder}/scgi; uwsgi_temp_path {folder}/uwsgi;
    {cache}
    {site}
}}
"""


@contextmanager
def nginx_before(base_url: str) -> Iterator[str]:
    """Run nginx with what we ship, without TLS, on a port of its own; give its URL."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with tempfile.TemporaryDirectory(prefix="telecine-benchmark-") as made:
        Path(made).chmod(0o755)  # nginx's workers are another user
        cache = (DEPLOY / "nginx-cache.conf").read_text()
        locations = (DEPLOY / "nginx-cache-locations.conf").read_text()
        site = (DEPLOY / "nginx.conf").read_text()
        site = site.replace("127.0.0.1:8080", base_url.removeprefix("http://"))
        site = site.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
        site = re.sub(r"http2 on;|ssl_certificate\S* .*;", "", site)
        site = re.sub(r"access_log .*;", "access_log off;", site)
        site = re.sub(r"    location /vod/ \{[^}]*\}\n", lambda _: locations, site)
        config = Path(made) / "nginx.conf"
        config.write_text(
            WHOLE.format(
                folder=made,
                cache=cache.replace("/var/cache/nginx/telecine", f"{made}/cache"),
                site=site,
            )
        )
        process = subprocess.Popen([program, "-c", config, "-p", made])
        try:
            time.sleep(1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


async def watch(client: httpx.AsyncClient, url: str, seen: Counter[str], arrives_s: float) -> None:
    """Watch a video once, as fast as it comes."""
    await asyncio.sleep(arrives_s)

    async def get(path: str) -> str:
        reply = (await client.get(path)).raise_for_status()
        seen[reply.headers.get("x-cache", "none")] += 1
        return reply.text if path.endswith("m3u8") else ""

    await get(url.partition("/hls/")[0])
    base = url.rpartition("/")[0]
    variants = re.findall(r"^\w+/manifest\.m3u8$", await get(url), re.MULTILINE)
    lists = {}
    for name in (*variants, "audio/audio.m3u8"):
        lists[name] = re.findall(r"^\S+\.m4s$", await get(f"{base}/{name}"), re.MULTILINE)
        map_uri = "init-1.mp4"
        await get(f"{base}/{name.rpartition('/')[0]}/{map_uri}")
    quality = random.choice(variants)
    for number in range(len(lists[quality])):
        if random.random() < 0.05:
            quality = random.choice(variants)
        for name in (quality, "audio/audio.m3u8"):
            await get(f"{base}/{name.rpartition('/')[0]}/{lists[name][number]}")


async def measure(front: str, video_id: str, viewers: int) -> None:
    """Print what became of the requests of all viewers."""
    seen: Counter[str] = Counter()
    limits = httpx.Limits(max_connections=viewers)
    async with httpx.AsyncClient(base_url=front, timeout=60, limits=limits) as client:
        path = f"/vod/{video_id}/hls/manifest.m3u8"
        await asyncio.gather(*(watch(client, path, seen, random.random()) for _ in range(viewers)))
    total = seen.total()
    told = ", ".join(f"{state} {count}" for state, count in sorted(seen.items()))
    own = seen["HIT"] + seen["REVALIDATED"]
    print(
        f"{viewers} viewers, {total} requests: {told}; hits {own / total:.2%}, "
        f"{seen['HIT'] / total:.2%} without asking"
    )


def main() -> None:
    """Upload a clip, wait for its ladder, let viewers come."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--viewers", type=int, default=200)
    options.add_argument("--seconds", type=int, default=20, help="length of the video")
    chosen = options.parse_args()
    random.seed(1)
    print(machine())
    path = make_source(chosen.seconds, "640x360", gop=60, bit_rate="800k")
    with folder() as data, serving(data) as telecine:
        client = httpx.Client(base_url=telecine.base_url, auth=(telecine.key, ""), timeout=120)
        video_id = str(client.post("/videos", json={"title": "Measured"}).json()["videoId"])
        with path.open("rb") as file:
            client.post(f"/videos/{video_id}/source", files={"file": file}).raise_for_status()
        while not is_stored(client, video_id):
            time.sleep(0.5)
        with nginx_before(telecine.base_url) as front:
            asyncio.run(measure(front, video_id, chosen.viewers))


if __name__ == "__main__":
    main()
