"""CPU per GB received: a multipart upload in parts against a raw body-to-file sink.

The sink is an application of a few lines on the very same server class: it appends each
piece of a body to a file as it comes and calls fdatasync at the end. Ours parses the form,
finds the video, stores the part at its place, commits, and answers with the video. Both
write all parts of an upload to one new file, which is deleted afterwards: to write a file
anew, whose pages the kernel holds already, would cost a quarter. The load generator runs
beside both; only the servers' CPU counts. With nginx on the machine, its WebDAV module (each
part a PUT to a new file, without fsync) is shown as well.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvloop
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from measure import median
from serving import cpu_s, folder, machine, serving
from telecine.http import server
from upload_load import MIB, Connection, Part, authorization, client, delete, new_video, noise

WARM_UP = 8
"""Requests before the first measured one: statements are prepared after some."""

NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; user root;
events {{ worker_connections 64; }}
http {{ access_log off; client_max_body_size 0; client_body_temp_path {folder}/body;
  proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder};
  scgi_temp_path {folder}; client_body_buffer_size 1m;
  server {{ listen 127.0.0.1:{port}; root {folder}; location / {{ dav_methods PUT; }} }} }}
"""


@dataclass(frozen=True)
class Side:
    """A server under load: upload everything once; its processes."""

    upload: Callable[[list[Part]], None]
    pids: list[int]


def sink(port: int, folder: str) -> None:
    """Serve until killed: bodies are appended to the file that the path names."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        target = folder + request.url.path
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            async for chunk in request.stream():
                view = memoryview(chunk)
                while view:
                    view = view[os.write(descriptor, view) :]
            await asyncio.to_thread(os.fdatasync, descriptor)
        finally:
            os.close(descriptor)
        await Response(status_code=201)(scope, receive, send)

    listening = socket.create_server(("127.0.0.1", port))
    uvloop.run(server.build(app, trusted_proxies=[], on_started=lambda: None).serve([listening]))


@contextlib.contextmanager
def sinking(path: Path, port: int) -> Iterator[Side]:
    """Run the sink."""
    process = multiprocessing.get_context("spawn").Process(target=sink, args=(port, str(path)))
    process.start()
    wait_for(port)

    def upload(parts: list[Part]) -> None:
        connection = Connection(f"http://127.0.0.1:{port}")
        for part in parts:
            connection.post("/measured", part, {})
        (path / "measured").unlink()

    try:
        yield Side(upload, [process.pid or 0])
    finally:
        process.kill()
        process.join()


@contextlib.contextmanager
def nginx(port: int) -> Iterator[Side | None]:
    """Run nginx as a sink of files, if there is one."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        yield None
        return
    with tempfile.TemporaryDirectory() as made:
        config = Path(made) / "nginx.conf"
        config.write_text(NGINX.format(folder=made, port=port))
        process = subprocess.Popen([program, "-c", str(config)])
        wait_for(port)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()

        def upload(parts: list[Part]) -> None:
            connection = Connection(f"http://127.0.0.1:{port}")
            for part in parts:
                connection.put(f"/{part.number}", part.content)
            for part in parts:
                (Path(made) / str(part.number)).unlink()

        try:
            yield Side(upload, [process.pid, *map(int, children.split())])
        finally:
            process.terminate()
            process.wait()


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def wait_for(port: int) -> None:
    """Return once somebody listens."""
    while True:
        with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)


def main() -> None:
    """Alternate them, print CPU seconds a GB and ratios."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--parts", type=int, default=20)
    options.add_argument("--mib", type=int, default=50, help="size of a part")
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    print(machine())
    content = noise(chosen.mib * MIB)
    parts = [Part(number + 1, chosen.parts, content) for number in range(chosen.parts)]
    gigabytes = len(parts) * len(content) / 1e9
    results: dict[str, list[float]] = {}
    with (
        folder() as data,
        serving(data, TELECINE_DISK_RESERVE_MIB="64", TELECINE_API_PROCESSES="1") as telecine,
        sinking(data.parent, free_port()) as raw,
        nginx(free_port()) as peer,
        client(telecine) as api,
    ):
        connection, key = Connection(telecine.base_url), authorization(telecine)

        def ours(parts: list[Part]) -> None:
            source = new_video(api)
            for part in parts:
                connection.post(source, part, key)
            delete(api, source)

        sides = {"ours": Side(ours, telecine.api_processes()), "sink": raw}
        if peer is not None:
            sides["nginx"] = peer
        for side in sides.values():
            side.upload(parts[:WARM_UP])
        for _ in range(chosen.rounds):
            for name, side in sides.items():
                before_s = cpu_s(side.pids)
                side.upload(parts)
                results.setdefault(name, []).append((cpu_s(side.pids) - before_s) / gigabytes)
    print(f"{chosen.parts} parts of {chosen.mib} MiB, one connection")
    for name, values in results.items():
        print(f"{name:6} CPU s/GB", " ".join(f"{value:.3f}" for value in values))
    mine = results.pop("ours")
    for name, theirs in results.items():
        pairs = zip(mine, theirs, strict=True)
        print(f"ratio ours/{name}: median {median([a / b for a, b in pairs]):.2f}")
    print(machine())


if __name__ == "__main__":
    main()
