"""What viewers did, read with a version of `apivideo` that can.

Runs as a program of its own: `sessions.py BASE_URL API_KEY VIDEO_ID STREAM_ID SESSION_ID`.
"""

import sys
from datetime import UTC, datetime, timedelta

import apivideo
import apivideo.auth_api_client as auth
import pytest
from apivideo.api.raw_statistics_api import RawStatisticsApi
from apivideo.exceptions import NotFoundException

base_url, api_key, video_id, stream_id, session_id = sys.argv[1:]


def read() -> None:
    today = datetime.now(UTC).date()
    period = f"{today - timedelta(days=1)}/{today}"
    auth.HOST_ENVIRONMENT["production"] = base_url
    with apivideo.AuthenticatedApiClient(api_key) as client:
        statistics = RawStatisticsApi(client)
        found = statistics.list_video_sessions(
            video_id, period=period, metadata={"user": "seven"}, page_size=10
        )
        assert found.pagination.items_total == 1
        session = found.data[0]
        assert session.session.session_id == session_id
        assert session.session.loaded_at <= session.session.ended_at
        assert session.referrer.url == "https://shop.example/page"
        assert session.location.country == "unknown"
        assert session.client.type in {"browser", "unknown"}
        none = statistics.list_video_sessions(video_id, period="2018-W02")
        assert none.data == []
        assert len(statistics.list_live_stream_sessions(stream_id, period=period).data) == 1
        events = statistics.list_session_events(session_id, page_size=100).data
        assert [event.type for event in events[:3]] == ["ready", "play", "seek.forward"]
        assert (events[2]["_from"], events[2].to) == (5, 20)
        assert events[1].at == 0
        with pytest.raises(NotFoundException):
            statistics.list_session_events("psUnknown")


read()
