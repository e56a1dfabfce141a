"""Start of `telecine serve` to ready; memory and CPU of all its processes when idle."""

import argparse
import time
import urllib.error
import urllib.request

from serving import Telecine, cpu_s, family, folder, machine, name_of, pss_mib, serving

_LOOK_EVERY_S = 0.03


def started(telecine: Telecine) -> tuple[float, float]:
    """Return seconds from the command until a request is answered, and until all is ready.

    Ready is what `/readyz` says: database, schema, storage, and a worker that has given a
    sign of life.
    """
    begun_s = time.perf_counter()
    urllib.request.urlopen(f"{telecine.base_url}/healthz").read()
    answered_s = telecine.started_s + time.perf_counter() - begun_s
    while not _is_ready(telecine):
        time.sleep(_LOOK_EVERY_S)
    return answered_s, telecine.started_s + time.perf_counter() - begun_s


def _is_ready(telecine: Telecine) -> bool:
    try:
        with urllib.request.urlopen(f"{telecine.base_url}/readyz") as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False


def told(times_s: list[tuple[float, float]]) -> str:
    """Say both times of each start."""
    return ", ".join(f"{ready:.2f} ({answered:.2f})" for answered, ready in times_s)


def idle(telecine: Telecine, seconds: float) -> None:
    """Print memory and CPU, process by process."""
    time.sleep(20)  # until what is loaded in the background is loaded
    before = {pid: cpu_s([pid]) for pid in family(telecine.pid)}
    time.sleep(seconds)
    total_mib = total_percent = 0.0
    # Connections that nobody needs are closed, and their processes end.
    pids = [pid for pid in family(telecine.pid) if pid in before]
    for pid in pids:
        used_mib, percent = pss_mib(pid), (cpu_s([pid]) - before[pid]) * 100 / seconds
        total_mib += used_mib
        total_percent += percent
        print(f"  {name_of(pid):40} {used_mib:6.1f} MiB  {percent:5.2f} %")
    print(f"idle: {total_mib:.0f} MiB PSS, {total_percent:.1f} % of a core, {len(pids)} processes")


def main() -> None:
    """Start in an empty folder, then again and again in the same one."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--again", type=int, default=3, help="starts after the first one")
    options.add_argument("--idle", type=float, default=60.0, help="seconds of idleness")
    chosen = options.parse_args()
    print(machine())
    with folder() as data:
        with serving(data) as telecine:
            print("ready (answering) after: first start", told([started(telecine)]), "s")
        times_s = []
        for _ in range(chosen.again):
            with serving(data) as telecine:
                times_s.append(started(telecine))
        print("next starts:", told(times_s), "s")
        if chosen.idle:
            with serving(data) as telecine:
                idle(telecine, chosen.idle)


if __name__ == "__main__":
    main()
