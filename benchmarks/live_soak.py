"""Memory of the live process for each of many publishers of 5 Mbps by RTMP, and whether it grows.

A whole Telecine records what is published to it; what its live process used before anybody
published is not counted. Recordings take 37 MB a minute and publisher of the disk.
"""

import argparse
import multiprocessing
import time
from collections.abc import Sequence

import httpx

from live_ingest import publish_to
from serving import Telecine, family, folder, free_port, machine, name_of, pss_mib, serving

SETTLED_S = 45.0
"""What is held in memory of a window is there by then, the rest only on the disk."""


def live_process(telecine: Telecine) -> int:
    """Return the process that encoders publish to."""
    return next(pid for pid in family(telecine.pid) if name_of(pid).startswith("live-"))


def all_on_air(client: httpx.Client, streams: Sequence[str]) -> bool:
    """Tell whether every stream is being broadcast."""
    found = (client.get(f"/live-streams/{each}").raise_for_status().json() for each in streams)
    return all(each["broadcasting"] for each in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publishers", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--every-s", type=float, default=10.0)
    given = parser.parse_args()
    print(machine())
    port = free_port()
    settings = {
        "TELECINE_RTMP_PORT": str(port),
        "TELECINE_LIVE_LADDER": "off",
        "TELECINE_API_PROCESSES": "1",
        "TELECINE_WORKER_PROCESSES": "0",
    }
    with folder() as data, serving(data, **settings) as telecine:
        pid = live_process(telecine)
        before_mib = pss_mib(pid)
        with httpx.Client(base_url=telecine.base_url, auth=(telecine.key, "")) as client:
            made = [
                client.post("/live-streams", json={"name": "Soak"}).raise_for_status().json()
                for _ in range(given.publishers)
            ]
            streams = [each["liveStreamId"] for each in made]
            keys = [each["streamKey"] for each in made]
            sending = multiprocessing.Process(target=publish_to, args=(port, keys), daemon=True)
            sending.start()
            while not all_on_air(client, streams):
                time.sleep(0.5)
            time.sleep(SETTLED_S)
            found, begun_s = list[float](), time.monotonic()
            while time.monotonic() - begun_s < 60 * given.minutes:
                found.append((pss_mib(pid) - before_mib) / given.publishers)
                time.sleep(given.every_s)
            if not all_on_air(client, streams):
                raise SystemExit("a stream is no longer on the air")
        sending.terminate()
    print(
        f"{given.publishers} publishers for {given.minutes:g} min: {found[0]:.1f} MiB each when "
        f"they had settled, {max(found):.1f} at most, {found[-1]:.1f} at the end"
    )
    print(machine())


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
