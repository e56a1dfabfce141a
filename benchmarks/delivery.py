"""CPU per GB of segment delivery against nginx sendfile, 200 KB bodies, same load.

The load generator runs beside both servers; only the servers' CPU counts. Ours does
routing, CORS, ETag and the look-up of the segment; nginx sends plain files.
"""

import argparse
import http.client
import os
import platform
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from listing import api_processes, cpu_s

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


def children_of(pid: int) -> list[int]:
    """Return a process and its children."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, listed)]


def main() -> None:
    """Alternate ours and nginx, print CPU seconds a GB and the ratio."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--segment-url", required=True, help="a stored segment of ~200 KB")
    options.add_argument("--requests", type=int, default=4000)
    options.add_argument("--connections", type=int, default=4)
    options.add_argument("--port", type=int, default=8999)
    chosen = options.parse_args()
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101  # nginx's workers are another user
        parts = urlsplit(chosen.segment_url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        connection.request("GET", parts.path)
        (Path(folder) / "segment.m4s").write_bytes(connection.getresponse().read())
        config = Path(folder) / "nginx.conf"
        config.write_text(CONFIG.format(folder=folder, port=chosen.port))
        server = subprocess.Popen([nginx, "-c", str(config)])
        time.sleep(1)
        try:
            results: dict[str, list[float]] = {"ours": [], "nginx": []}
            for _ in range(3):
                for name, url, pids in (
                    ("ours", chosen.segment_url, api_processes()),
                    (
                        "nginx",
                        f"http://127.0.0.1:{chosen.port}/segment.m4s",
                        children_of(server.pid),
                    ),
                ):
                    before = cpu_s(pids)
                    size = load(url, chosen.requests, chosen.connections)
                    results[name].append((cpu_s(pids) - before) / (size / 1e9))
        finally:
            server.terminate()
            server.wait()
    print(platform.machine(), os.cpu_count(), "cores")
    for name, values in results.items():
        print(f"{name:6} CPU s/GB", " ".join(f"{value:.3f}" for value in values))
    ratios = sorted(o / n for o, n in zip(results["ours"], results["nginx"], strict=True))
    print(f"ratio ours/nginx: median {ratios[1]:.2f}")


if __name__ == "__main__":
    main()
