"""CPU per GB of segment delivery against nginx sendfile, 200 KB bodies, same load.

Two kinds of segments: stored ones, which are stretches of our own objects, and copied
ones, which are cut out of the uploaded file, the pictures from between the packets of
sound. The load generator runs beside all servers; only the servers' CPU counts. Ours does
routing, CORS, ETag and the look-up of the segment; nginx sends the same bodies as files.
Both answer in one process.
"""

import argparse
import contextlib
import http.client
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from measure import make_source, median
from serving import Telecine, cpu_s, family, folder, machine, serving

CONFIG = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; root {folder}; }} }}
"""


def load(base_url: str, paths: Sequence[str], requests: int, connections: int) -> int:
    """GET the paths in turn over keep-alive connections; return the bytes received."""
    parts = urlsplit(base_url)
    received = [0] * connections

    def client(number: int) -> None:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        for path in islice(cycle(paths), number, number + requests // connections):
            connection.request("GET", path)
            reply = connection.getresponse()
            if reply.status != 200:
                raise SystemExit(f"{base_url}{path}: {reply.status}")
            received[number] += len(reply.read())

    threads = [threading.Thread(target=client, args=(n,)) for n in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(received)


def segment_paths(telecine: Telecine, *, private: bool = False) -> dict[str, list[str]]:
    """Upload a clip and wait for its ladder; return the paths of its two lowest qualities.

    The source is the upper one, which is copied; segments of both have some 200 KB.
    `private`: below the session of a private video.
    """
    path = make_source(24, "640x360", gop=60, bit_rate="800k")
    client = httpx.Client(base_url=telecine.base_url, auth=(telecine.key, ""), timeout=120)
    video = client.post("/videos", json={"title": path.name}).raise_for_status().json()["videoId"]
    with path.open("rb") as file:
        client.post(f"/videos/{video}/source", files={"file": file}).raise_for_status()
    base, query = f"/vod/{video}/hls/", ""
    while client.get(base + "manifest.m3u8").status_code == 202:
        time.sleep(0.05)
    while any(
        quality["status"] not in ("encoded", "failed")
        for quality in client.get(f"/videos/{video}/status").json()["encoding"]["qualities"]
    ):
        time.sleep(1)  # the encodes must not disturb
    if private:
        client.patch(f"/videos/{video}", json={"public": False}).raise_for_status()
        hls = client.get(f"/videos/{video}").json()["assets"]["hls"]
        session = client.get(hls.replace("hls/manifest.m3u8", "session")).json()["session_token"]
        base = "/vod/" + hls.partition("/vod/")[2].removesuffix("manifest.m3u8")
        query = f"?avh={session}"
    found = {}
    for kind, quality in (("stored", "240p"), ("copied", "360p")):
        playlist = client.get(f"{base}{quality}/manifest.m3u8{query}").raise_for_status().text
        names = [line for line in playlist.splitlines() if ".m4s" in line]
        found[kind] = [f"{base}{quality}/{name}" for name in names[:-1]]
    return found


@contextlib.contextmanager
def nginx_serving(bodies: Mapping[str, bytes], port: int) -> Iterator[list[int]]:
    """Serve bodies under their paths; give nginx's processes."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101  # nginx's workers are another user
        for path, body in bodies.items():
            file = Path(folder, path.removeprefix("/").partition("?")[0])
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
        config = Path(folder) / "nginx.conf"
        config.write_text(CONFIG.format(folder=folder, port=port))
        server = subprocess.Popen([program, "-c", str(config)])
        try:
            time.sleep(1)
            yield family(server.pid)
        finally:
            server.terminate()
            server.wait()


def main() -> None:
    """Alternate ours and nginx, print CPU seconds a GB and the ratios."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--requests", type=int, default=4000)
    options.add_argument("--connections", type=int, default=4)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--port", type=int, default=8999)
    chosen = options.parse_args()
    print(machine())
    with folder() as data, serving(data, TELECINE_API_PROCESSES="1") as telecine:
        kinds = segment_paths(telecine)
        bodies = {
            path: httpx.get(telecine.base_url + path).raise_for_status().content
            for paths in kinds.values()
            for path in paths
        }
        with nginx_serving(bodies, chosen.port) as nginx:
            sides = (
                (telecine.base_url, telecine.api_processes()),
                (f"http://127.0.0.1:{chosen.port}", nginx),
            )
            for kind, paths in kinds.items():
                size = sum(len(bodies[path]) for path in paths) // len(paths)
                print(f"{kind}: {len(paths)} segments of {size} bytes on average")
                costs: tuple[list[float], list[float]] = ([], [])
                for url, _ in sides:
                    load(url, paths, 200, chosen.connections)
                for _ in range(chosen.rounds):
                    for (url, pids), results in zip(sides, costs, strict=True):
                        before_s = cpu_s(pids)
                        sent = load(url, paths, chosen.requests, chosen.connections)
                        results.append((cpu_s(pids) - before_s) / (sent / 1e9))
                for name, values in zip(("ours", "nginx"), costs, strict=True):
                    print(f"  {name:6} CPU s/GB", " ".join(f"{value:.3f}" for value in values))
                ratios = [ours / theirs for ours, theirs in zip(*costs, strict=True)]
                print(f"  ratio ours/nginx: median {median(ratios):.2f}")
    print(machine())


if __name__ == "__main__":
    main()
