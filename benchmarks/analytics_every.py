"""Viewers' analytics: how long every number takes that can be asked for.

A project is filled as by `analytics.py`; then each metric is asked for with each aggregation, by
each dimension and over each interval, of the last day and of 30 days, counting playbacks and
viewers, and with each filter. Printed are the slowest ones of each kind, and all that take longer
than they may.
"""

import argparse
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlencode

import httpx
import psycopg

import analytics
from measure import median
from serving import Telecine, folder, machine, serving
from telecine import clock
from telecine.domains.analytics.data_api import BREAKDOWNS, NUMBERS, SERIES
from telecine.domains.analytics.questions import QUALITY, RENDITION, VIEW_DURATIONS_S
from telecine.domains.analytics.store.rollups import DIMENSIONS

ASKED_MS = 200.0
FROM_THE_FIRST = {"from": "2000-01-01T00:00:00Z"}
FRAMES: dict[str, dict[str, str]] = {"a day": {}, "30 days": FROM_THE_FIRST}
INTERVALS: dict[str, dict[str, str]] = {
    "a day by hours": {"interval": "hour"},
    "30 days by days": {**FROM_THE_FIRST, "interval": "day"},
    "30 days by hours": {**FROM_THE_FIRST, "interval": "hour"},
}
FILTERS = {
    "one of a video": {"mediaId": ["vi7"]},
    "of three videos": {"mediaId": ["vi7", "vi8", "vi9"]},
    "of a type": {"mediaType": ["video"]},
    "of a continent": {"continent": ["EU"]},
    "of a country": {"country": ["FR"]},
    "of two countries": {"country": ["FR", "DE"]},
    "of a device": {"deviceType": ["phone"]},
    "of a system": {"operatingSystem": ["ios"]},
    "of a browser": {"browser": ["safari"]},
    "of a tag": {"tag": ["tag3"]},
    "of a page": {"referrer": ["https://example.com/7"]},
    "of a country and a device": {"country": ["FR"], "deviceType": ["phone"]},
    "of a video and a country": {"mediaId": ["vi7"], "country": ["FR", "DE"]},
}
FILTERED = (
    *("metrics/play/count", "metrics/watch-time/sum", "metrics/view/count", "metrics/ccv/peak"),
    *("metrics/ccv/average", "metrics/quality-score/average", "buckets/play/country"),
    *("buckets/play/media-id", "timeseries/play", "timeseries/view"),
)
_COLUMNS = """
SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns
 WHERE table_name = 'video' AND table_schema = current_schema() AND is_generated = 'NEVER'
"""
_VIDEOS = """
INSERT INTO video ({columns}) SELECT {columns} FROM (SELECT (jsonb_populate_record(NULL::video,
       to_jsonb(v) || jsonb_build_object('id', gen_random_uuid(), 'public_id', 'vi' || n, 'tags',
       jsonb_build_array('tag' || n % 50)))).*
  FROM (SELECT * FROM video LIMIT 1) AS v, generate_series(0, 4999) AS n) AS made
"""

Question = tuple[str, str, dict[str, object]]
"""Of which kind it is, the path, the query."""


def counting(metric: str) -> Iterator[dict[str, object]]:
    """Yield the ways to count what a metric counts."""
    yield {}
    if metric == "view" or metric.startswith("ccv"):
        yield {"unique": "true"}


def breakdowns() -> Iterator[tuple[str, dict[str, object]]]:
    """Yield every metric by every dimension."""
    for metric in BREAKDOWNS:
        dimensions = [each for each in DIMENSIONS if each]
        dimensions += [RENDITION] if metric in QUALITY else []
        for dimension in ["media-id"] if metric == "play-total" else dimensions:
            for ways in counting(metric):
                yield f"buckets/{metric}/{dimension}", ways


def questions() -> Iterator[Question]:
    """Yield all that can be asked, filters with some of it."""
    for name, frame in FRAMES.items():
        for metric, aggregation in NUMBERS:
            for ways in counting(metric):
                yield f"numbers, {name}", f"metrics/{metric}/{aggregation}", {**frame, **ways}
        for length in VIEW_DURATIONS_S:
            yield f"numbers, {name}", "metrics/view/count", {**frame, "viewDuration": length}
        for path, ways in breakdowns():
            yield f"by value, {name}", path, {**frame, **ways}
        for path in FILTERED:
            for which, filters in FILTERS.items():
                of = {f"filterBy[{key}][]": values for key, values in filters.items()}
                yield f"{which}, {name}", path, {**frame, **of}
    hour = {"from": (clock.now() - timedelta(minutes=59)).isoformat(), "interval": "minute"}
    for name, frame in {**INTERVALS, "an hour by minutes": hour}.items():
        for metric in SERIES:
            for ways in counting(metric):
                yield f"over time, {name}", f"timeseries/{metric}", {**frame, **ways}


def make_videos(telecine: Telecine) -> None:
    """Have the videos that were watched, with tags."""
    auth = (telecine.key, "")
    made = httpx.post(f"{telecine.base_url}/videos", json={"title": "watched"}, auth=auth)
    made.raise_for_status()
    with psycopg.connect(telecine.database_url, autocommit=True) as connection:
        row = connection.execute(_COLUMNS).fetchone()
        columns = str(row[0]) if row else ""
        connection.execute(_VIDEOS.format(columns=columns).encode())
        connection.execute("ANALYZE video")


def ask_all(telecine: Telecine, times: int) -> None:
    """Print how long each kind takes at worst, and what takes too long."""
    kinds: dict[str, list[tuple[float, str]]] = {}
    with httpx.Client(base_url=telecine.base_url, auth=(telecine.key, ""), timeout=120) as client:
        for kind, path, query in questions():
            url = f"/data/{path}?{urlencode(query, doseq=True)}"

            def act(url: str = url) -> object:
                return client.get(url).raise_for_status()

            kinds.setdefault(kind, []).append((analytics.p95_ms(times, act), url))
    everything = sorted(each for found in kinds.values() for each in found)
    for kind, found in kinds.items():
        slowest_ms, url = max(found)
        typical_ms = median([each_ms for each_ms, _ in found])
        line = f"{kind:40} {len(found):4}, median {typical_ms:7.1f}, slowest {slowest_ms:7.1f}"
        print(line, url)
    late = [each for each in everything if each[0] > ASKED_MS]
    print(f"{len(everything)} asked, {len(late)} take more than {ASKED_MS:.0f} ms:")
    for each_ms, url in reversed(late):
        print(f"{each_ms:8.1f} {url}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    print(machine())
    with folder() as data, serving(data) as telecine:
        make_videos(telecine)
        analytics.fill(telecine, options.sessions)
        print(machine())
        ask_all(telecine, options.times)


if __name__ == "__main__":
    main()
