"""From the last byte of a large upload to its 201: is anything copied or summed up there?

The file arrives in parts over one connection. The time of the part that completes it, from
its last byte to the end of the answer, stands beside that of the parts before it.
"""

import argparse
import time

from measure import median, percentile
from serving import folder, machine, serving
from upload_load import MIB, Connection, Part, authorization, client, new_video, noise


def main() -> None:
    """Print the times and their ratio."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--parts", type=int, default=200)
    options.add_argument("--mib", type=int, default=50, help="size of a part")
    chosen = options.parse_args()
    print(machine())
    content = noise(chosen.mib * MIB)
    with (
        folder() as data,
        serving(data, TELECINE_DISK_RESERVE_MIB="64") as telecine,
        client(telecine) as api,
    ):
        connection, key = Connection(telecine.base_url), authorization(telecine)
        source, times_s = new_video(api), []
        begun_s = time.perf_counter()
        for number in range(1, chosen.parts + 1):
            part = Part(number, chosen.parts, content)
            connection.begin(source, part, key)
            connection.send(part.content)
            connection.send(part.tail)
            sent_s = time.perf_counter()
            connection.end()
            times_s.append(time.perf_counter() - sent_s)
        gigabytes = chosen.parts * len(content) / 1e9
        took_s = time.perf_counter() - begun_s
        video = api.get(source.removesuffix("/source") + "/status").raise_for_status().json()
    if video["ingest"]["status"] != "uploaded":
        raise SystemExit(f"not complete: {video['ingest']}")
    *others, last = times_s
    usual, slow = median(others), percentile(others, 0.95)
    print(f"{gigabytes:.1f} GB in {chosen.parts} parts, {took_s:.0f} s; last byte to 201:")
    print(f"parts before: median {usual:.3f} s, 95 % {slow:.3f} s; completing: {last:.3f} s")
    print(f"ratio completing/before: {last / usual:.2f}")
    print(machine())


if __name__ == "__main__":
    main()
