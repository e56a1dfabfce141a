"""Numbers about viewers, read with the newest `apivideo`.

Runs as a program of its own: `data.py BASE_URL API_KEY VIDEO_ID STREAM_ID`.
"""

import sys
from datetime import UTC, datetime, timedelta

import apivideo
import apivideo.auth_api_client as auth
import pytest
from apivideo.api.analytics_api import AnalyticsApi
from apivideo.exceptions import ApiException
from apivideo.model.filter_by import FilterBy
from apivideo.model.filter_by2 import FilterBy2

base_url, api_key, video_id, stream_id = sys.argv[1:]

# The video was watched once, the stream twice.
NUMBERS = {
    ("play", "count"): 3,
    ("play", "rate"): 1,
    ("play", "total"): 3,
    ("start", "count"): 3,
    ("end", "count"): 3,
    ("impression", "count"): 3,
    ("impression-time", "average"): 0,
    ("impression-time", "sum"): 0,
    ("ccv", "average"): None,
    ("ccv", "live"): None,
    ("ccv", "peak"): None,
    ("watch-time", "average"): None,
    ("watch-time", "sum"): None,
    ("view", "count"): 0,
}
METRICS = ("play", "play-rate", "start", "end", "impression", "ccv-peak", "ccv-average", "view")
BREAKDOWNS = (
    *("media-id", "media-type", "continent", "country"),
    *("device-type", "operating-system", "browser", "referrer"),
)


def read() -> None:
    begin = datetime.now(UTC) - timedelta(minutes=50)
    auth.HOST_ENVIRONMENT["production"] = base_url
    with apivideo.AuthenticatedApiClient(api_key) as client:
        analytics = AnalyticsApi(client)
        of_video = FilterBy(media_id=[video_id], media_type="video")
        for (metric, aggregation), expected in NUMBERS.items():
            found = analytics.get_aggregated_metrics(metric, aggregation)
            assert expected is None or found.data == expected, (metric, aggregation, found.data)
        found = analytics.get_aggregated_metrics("play", "count", _from=begin, filter_by=of_video)
        assert found.data == 1
        assert found.context.timeframe._from == begin.replace(microsecond=0)
        unique = analytics.get_aggregated_metrics(
            "view", "count", unique=True, view_duration="3s", filter_by=of_video
        )
        assert unique.context.metric == "unique-view-3"
        for metric in METRICS:
            for breakdown in BREAKDOWNS:
                analytics.get_metrics_breakdown(metric, breakdown)
            series = analytics.get_metrics_over_time(metric, _from=begin, interval="minute")
            assert series.context.interval == "minute"
        plays = analytics.get_metrics_breakdown("play", "media-id", sort_by="dimensionValue")
        found = {each.dimension_value: each.metric_value for each in plays.data}
        assert found == {video_id: 1, stream_id: 2}
        total = analytics.get_metrics_breakdown(
            "play-total", "media-id", filter_by=FilterBy2(media_type="video")
        )
        assert [each.dimension_value for each in total.data] == [video_id]
        over_time = analytics.get_metrics_over_time("play", _from=begin)
        assert sum(each.metric_value for each in over_time.data) == 3
        with pytest.raises(ApiException) as refused:
            analytics.get_metrics_over_time("play", interval="minute")
        assert refused.value.status == 400


read()
