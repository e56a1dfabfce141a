"""CPU per GB of segment delivery against nginx sendfile, 200 KB bodies, same load.

The load generator runs beside both servers; only the servers' CPU counts. Ours does
routing, CORS, ETag and the look-up of the segment; nginx sends plain files.
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
from collections.abc import Iterator
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


def load(url: str, requests: int, connections: int) -> int:
    """GET `url` over keep-alive connections; return the bytes received."""
    parts = urlsplit(url)
    received = [0] * connections

    def client(number: int) -> None:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        for _ in range(requests // connections):
            connection.request("GET", parts.path)
            reply = connection.getresponse()
            if reply.status != 200:
                raise SystemExit(f"{url}: {reply.status}")
            received[number] += len(reply.read())

    threads = [threading.Thread(target=client, args=(n,)) for n in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(received)


def segment_url(telecine: Telecine) -> str:
    """Upload a clip whose first copied segment has some 200 KB; return that segment's URL."""
    path = make_source(20, "640x360", gop=60, bit_rate="700k")
    client = httpx.Client(base_url=telecine.base_url, auth=(telecine.key, ""), timeout=120)
    video = client.post("/videos", json={"title": path.name}).raise_for_status().json()["videoId"]
    with path.open("rb") as file:
        client.post(f"/videos/{video}/source", files={"file": file}).raise_for_status()
    base = f"/vod/{video}/hls/"
    while (master := client.get(base + "manifest.m3u8")).status_code == 202:
        time.sleep(0.05)
    while any(
        quality["status"] not in ("encoded", "failed")
        for quality in client.get(f"/videos/{video}/status").json()["encoding"]["qualities"]
    ):
        time.sleep(1)  # the encodes must not disturb
    variant = next(line for line in master.text.splitlines() if line.endswith("/manifest.m3u8"))
    playlist = client.get(base + variant).raise_for_status().text
    first = next(line for line in playlist.splitlines() if line.endswith(".m4s"))
    return f"{telecine.base_url}{base}{variant.rpartition('/')[0]}/{first}"


@contextlib.contextmanager
def nginx_serving(body: bytes, port: int) -> Iterator[list[int]]:
    """Serve `body` as /segment.m4s; give nginx's processes."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101  # nginx's workers are another user
        (Path(folder) / "segment.m4s").write_bytes(body)
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
    """Alternate ours and nginx, print CPU seconds a GB and the ratio."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--requests", type=int, default=4000)
    options.add_argument("--connections", type=int, default=4)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--port", type=int, default=8999)
    chosen = options.parse_args()
    print(machine())
    results: dict[str, list[float]] = {"ours": [], "nginx": []}
    with folder() as data, serving(data) as telecine:
        ours = segment_url(telecine)
        body = httpx.get(ours).raise_for_status().content
        with nginx_serving(body, chosen.port) as nginx:
            theirs = f"http://127.0.0.1:{chosen.port}/segment.m4s"
            sides = (("ours", ours, telecine.api_processes()), ("nginx", theirs, nginx))
            for _, url, _ in sides:
                load(url, 200, chosen.connections)
            for _ in range(chosen.rounds):
                for name, url, pids in sides:
                    before_s = cpu_s(pids)
                    size = load(url, chosen.requests, chosen.connections)
                    results[name].append((cpu_s(pids) - before_s) / (size / 1e9))
    print(f"segment of {len(body)} bytes, {chosen.connections} connections")
    for name, values in results.items():
        print(f"{name:6} CPU s/GB", " ".join(f"{value:.3f}" for value in values))
    ratios = [o / n for o, n in zip(results["ours"], results["nginx"], strict=True)]
    print(f"ratio ours/nginx: median {median(ratios):.2f}")
    print(machine())


if __name__ == "__main__":
    main()
