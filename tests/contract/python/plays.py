"""Counts of plays, read with a version of `apivideo` that asks for them.

Runs as a program of its own: `plays.py BASE_URL API_KEY VIDEO_ID STREAM_ID`.
"""

import sys
from datetime import UTC, datetime, timedelta

import apivideo
import apivideo.auth_api_client as auth
import pytest
from apivideo.api.analytics_api import AnalyticsApi
from apivideo.exceptions import ApiException

base_url, api_key, video_id, stream_id = sys.argv[1:]

SHARED = ("country", "deviceType", "operatingSystem", "browser")


def read() -> None:
    today = datetime.now(UTC).date()
    # Whichever side of midnight the video was watched on.
    since, until = today - timedelta(days=1), today + timedelta(days=2)
    auth.HOST_ENVIRONMENT["production"] = base_url
    with apivideo.AuthenticatedApiClient(api_key) as client:
        analytics = AnalyticsApi(client)
        of_video = {"to": until, "filter": f"videoId:{video_id}"}
        of_stream = {"to": until, "filter": f"liveStreamId:{stream_id}"}
        videos, streams = analytics.get_videos_plays, analytics.get_live_streams_plays
        for ask, dimension, media_id, plays, only in (
            (videos, "videoId", video_id, 1, of_video),
            (streams, "liveStreamId", stream_id, 2, of_stream),  # the page was loaded again
        ):
            found = ask(since, dimension, **only)
            told = [(each.value, each.plays) for each in found.data]
            assert told == [(media_id, plays)], told
            assert found.pagination.items_total == 1
            moments = ask(since, "emittedAt", **only).data
            assert sum(each.plays for each in moments) == plays
            assert all(datetime.fromisoformat(each.value).date() >= since for each in moments)
            for shared in SHARED:
                values = ask(since, shared, page_size=10, **only).data
                assert all(each.plays == plays and each.value for each in values), shared
        with pytest.raises(ApiException) as refused:
            analytics.get_videos_plays(today - timedelta(days=40), "videoId")
        assert refused.value.status == 400
        with pytest.raises(ApiException) as refused:
            analytics.get_videos_plays(today, "videoId", to=since)
        assert refused.value.status == 400


read()
