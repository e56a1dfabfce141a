"""Peak memory of one API process with many uploads in flight.

Every client has sent a part of its file before any has sent all; then they go on in turns,
a mebibyte at a time. The peak is the kernel's (VmHWM: resident, shared pages included),
reset before the first byte; its ratio is to what the process had before. `--storage s3://…`
has the bytes stored in a bucket, with the credentials of the environment.
"""

import argparse
from pathlib import Path

from serving import Telecine, folder, machine, serving
from upload_load import (
    MIB,
    Connection,
    Part,
    Patch,
    authorization,
    client,
    delete,
    new_upload,
    new_video,
    noise,
)


def main() -> None:
    """Print the memory before, the peak, and their difference for one upload."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--uploads", type=int, default=50)
    options.add_argument("--mib", type=int, default=20, help="size of an upload")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--way", choices=("part", "tus"), default="part")
    options.add_argument("--storage", help="a bucket, in place of the disk")
    chosen = options.parse_args()
    settings = {"TELECINE_DISK_RESERVE_MIB": "64", "TELECINE_API_PROCESSES": "1"}
    if chosen.storage:
        settings["TELECINE_STORAGE"] = chosen.storage
    print(machine())
    content = noise(chosen.mib * MIB)
    with folder() as data, serving(data, **settings) as telecine:
        (process,) = telecine.api_processes()
        upload_all(telecine, 2, content, chosen.way)
        for _ in range(chosen.rounds):
            before_mib = reset_peak(process)
            upload_all(telecine, chosen.uploads, content, chosen.way)
            peak_mib = memory_mib(process, "VmHWM")
            each_mib = (peak_mib - before_mib) / chosen.uploads
            print(
                f"{chosen.uploads} uploads of {chosen.mib} MiB by {chosen.way}: "
                f"before {before_mib:.0f} MiB, peak {peak_mib:.0f} MiB "
                f"({peak_mib / before_mib:.2f}x), {each_mib:.2f} each"
            )
    print(machine())


def upload_all(telecine: Telecine, uploads: int, content: bytes, way: str) -> None:
    """Send `content` over as many connections, all at the same time."""
    key = authorization(telecine)
    part = Part(1, 2, content) if way == "part" else Patch(content)
    with client(telecine) as api:
        sources = [
            new_video(api) if way == "part" else new_upload(api, len(content))
            for _ in range(uploads)
        ]
        connections = [Connection(telecine.base_url) for _ in sources]
        for connection, source in zip(connections, sources, strict=True):
            connection.begin(source, part, key)
        for at in range(0, len(content), MIB):
            for connection in connections:
                connection.send(memoryview(content)[at : at + MIB])
        for connection in connections:
            connection.send(part.tail)
        for connection, source in zip(connections, sources, strict=True):
            connection.end()
            delete(api, source)


def memory_mib(process: int, name: str) -> float:
    """Return a figure of a process's memory (proc(5), status) in MiB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"no {name}")


def reset_peak(process: int) -> float:
    """Let the peak begin anew; return what is used now, in MiB."""
    Path(f"/proc/{process}/clear_refs").write_text("5")
    return memory_mib(process, "VmRSS")


if __name__ == "__main__":
    main()
