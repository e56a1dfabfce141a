"""Summaries of videos, with the newest `apivideo`: `summaries.py BASE_URL API_KEY`."""

import json
import sys

import apivideo
import apivideo.auth_api_client as auth
import pytest
from apivideo.api.summaries_api import SummariesApi
from apivideo.api.videos_api import VideosApi
from apivideo.exceptions import ApiException, NotFoundException
from apivideo.model.summary_creation_payload import SummaryCreationPayload
from apivideo.model.summary_update_payload import SummaryUpdatePayload
from apivideo.model.video_creation_payload import VideoCreationPayload
from apivideo.model.video_update_payload import VideoUpdatePayload


def main(base_url: str, key: str) -> None:
    auth.HOST_ENVIRONMENT["production"] = base_url
    with apivideo.AuthenticatedApiClient(key) as client:
        summaries, videos = SummariesApi(client), VideosApi(client)
        video_id = videos.create(VideoCreationPayload(title="To be told")).video_id
        made = summaries.create(SummaryCreationPayload(video_id=video_id))
        assert (made.origin, made.source_status) == ("api", "missing")
        with pytest.raises(ApiException) as twice:
            summaries.create(SummaryCreationPayload(video_id=video_id))
        assert json.loads(twice.value.body)["name"] == "videoId"
        words = SummaryUpdatePayload(abstract="What it is about.", takeaways=["One", "Two"])
        assert summaries.update(made.summary_id, words).abstract == "What it is about."
        source = summaries.get_summary_source(made.summary_id)
        assert (source.abstract, source.takeaways) == ("What it is about.", ["One", "Two"])
        (listed,) = summaries.list(video_id=video_id, source_status="completed").data
        assert listed.summary_id == made.summary_id
        assert listed.updated_at >= listed.created_at
        assert summaries.delete(made.summary_id) is None
        with pytest.raises(NotFoundException) as gone:
            summaries.get_summary_source(made.summary_id)
        assert json.loads(gone.value.body)["name"] == "summaryId"
        wish = SummaryCreationPayload(video_id=video_id, origin="auto", attributes=["abstract"])
        made = summaries.create(wish)
        assert (made.origin, made.source_status) == ("auto", "waiting")
        with pytest.raises(ApiException) as early:
            summaries.update(made.summary_id, words)
        assert (early.value.status, "name" in json.loads(early.value.body)) == (409, False)
        with pytest.raises(ApiException) as again:
            videos.update(video_id, VideoUpdatePayload(transcript_summary=True))
        assert json.loads(again.value.body)["name"] == "transcriptSummary"


if __name__ == "__main__":
    main(*sys.argv[1:3])
