"""CPU per GB of segments of a private video in a session against a public one, same server."""

import argparse

import httpx

from delivery import load, segment_paths
from measure import median
from serving import Telecine, cpu_s, folder, machine, serving

Sides = tuple[dict[str, list[str]], dict[str, list[str]]]
"""Paths of segments by their kind, of two sides."""


def alternate(
    telecine: Telecine, names: tuple[str, str], sides: Sides, chosen: argparse.Namespace
) -> None:
    """Load a server by one side and the other; print CPU seconds a GB and the ratios."""
    pids = telecine.api_processes()
    for kind in sides[0]:
        path = telecine.base_url + sides[1][kind][0]
        print(f"{kind}: first segment {len(httpx.get(path).content)} bytes")
        costs: tuple[list[float], list[float]] = ([], [])
        for side in sides:
            load(telecine.base_url, side[kind], 200, chosen.connections)
        for number in range(chosen.rounds):
            # The order changes, so that neither side always comes second.
            for which in (0, 1) if number % 2 else (1, 0):
                before_s = cpu_s(pids)
                paths = sides[which][kind]
                sent = load(telecine.base_url, paths, chosen.requests, chosen.connections)
                costs[which].append((cpu_s(pids) - before_s) / (sent / 1e9))
        for name, values in zip(names, costs, strict=True):
            print(f"  {name:12} CPU s/GB", " ".join(f"{value:.3f}" for value in values))
        ratios = [second / first for first, second in zip(*costs, strict=True)]
        print(f"  ratio {names[1]}/{names[0]}: median {median(ratios):.2f}")


def options(description: str | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=9)
    return parser.parse_args()


def main() -> None:
    """Alternate public and private."""
    chosen = options(__doc__)
    print(machine())
    with folder() as data, serving(data, TELECINE_API_PROCESSES="1") as telecine:
        sides = segment_paths(telecine), segment_paths(telecine, private=True)
        alternate(telecine, ("public", "private"), sides, chosen)


if __name__ == "__main__":
    main()
