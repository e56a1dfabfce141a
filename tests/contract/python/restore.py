"""Watermarks, clips, tags and discarded videos, with the newest `apivideo`.

Runs as a program of its own: `restore.py BASE_URL API_KEY VERSION IMAGE`. The project must
have Video Restore on.
"""

import json
import sys
import uuid
from pathlib import Path
from typing import Any

import apivideo
import apivideo.auth_api_client as auth
import pytest
from apivideo.api.tags_api import TagsApi
from apivideo.api.videos_api import VideosApi
from apivideo.api.watermarks_api import WatermarksApi
from apivideo.exceptions import ApiException, NotFoundException
from apivideo.model.discarded_video_update_payload import DiscardedVideoUpdatePayload
from apivideo.model.video_clip import VideoClip
from apivideo.model.video_creation_payload import VideoCreationPayload
from apivideo.model.video_watermark import VideoWatermark

RUN = uuid.uuid4().hex


def problem_of(error: ApiException) -> dict[str, Any]:
    problem: dict[str, Any] = json.loads(error.body)
    assert problem["status"] == error.status
    return problem


def check_watermarks(client: Any, image: Path) -> None:
    watermarks, videos = WatermarksApi(client), VideosApi(client)
    with image.open("rb") as file:
        made = watermarks.upload(file)
    assert made.watermark_id.startswith("watermark_")
    assert made.created_at.utcoffset() is not None
    listed = watermarks.list(sort_by="createdAt", sort_order="desc")
    assert [each.watermark_id for each in listed.data] == [made.watermark_id]
    assert listed.pagination.items_total == 1
    wish = VideoWatermark(
        id=made.watermark_id, top="0px", left="0px", width="100px", height="100px", opacity="70%"
    )
    clip = VideoClip(start_timecode="00:00:01", end_timecode="00:00:05")
    video = videos.create(VideoCreationPayload(title=f"Marked {RUN}", watermark=wish, clip=clip))
    assert watermarks.delete(made.watermark_id) is None
    assert list(watermarks.list().data) == []
    with pytest.raises(NotFoundException) as gone:
        watermarks.delete(made.watermark_id)
    assert problem_of(gone.value)["name"] == "watermarkId"
    with pytest.raises(ApiException) as unknown:
        videos.create(VideoCreationPayload(title="no", watermark=wish))
    problem = problem_of(unknown.value)
    assert (problem["status"], problem["name"]) == (400, "watermark[id]")
    videos.delete(video.video_id)


def check_discarded(client: Any) -> None:
    videos, tags = VideosApi(client), TagsApi(client)
    payload = VideoCreationPayload(title=f"Kept {RUN}", tags=[f"tag-{RUN}"])
    video_id = videos.create(payload).video_id
    counted = [(tag.value, int(tag.video_count)) for tag in tags.list(value=RUN).data]
    assert counted == [(f"tag-{RUN}", 1)]
    assert videos.delete(video_id) is None
    with pytest.raises(NotFoundException):
        videos.get(video_id)
    assert list(videos.list(title=f"Kept {RUN}").data) == []
    assert list(tags.list(value=RUN, sort_by="videoCount", sort_order="desc").data) == []

    (listed,) = videos.list_discarded(title=f"Kept {RUN}", tags=[f"tag-{RUN}"]).data
    found = videos.get_discarded(video_id)
    for discarded in (listed, found):
        assert (discarded.video_id, discarded.discarded) == (video_id, True)
        assert (discarded.deletes_at - discarded.discarded_at).days == 90
        assert discarded.assets is None
    with pytest.raises(ApiException) as refused:
        videos.update_discarded(video_id, DiscardedVideoUpdatePayload(discarded=True))
    problem = problem_of(refused.value)
    assert (problem["name"], problem["detail"]) == ("discarded", "Value must be false.")

    restored = videos.update_discarded(video_id, DiscardedVideoUpdatePayload(discarded=False))
    assert restored.discarded is False
    assert restored.assets.player.endswith(f"/vod/{video_id}")
    assert videos.get(video_id).title == f"Kept {RUN}"
    with pytest.raises(NotFoundException) as gone:
        videos.get_discarded(video_id)
    assert problem_of(gone.value)["name"] == "videoId"


def main(base_url: str, key: str, wanted: str, image: str) -> None:
    assert apivideo.__version__ == wanted, apivideo.__file__
    auth.HOST_ENVIRONMENT["production"] = base_url
    with apivideo.AuthenticatedApiClient(key) as client:
        check_watermarks(client, Path(image))
        check_discarded(client)


if __name__ == "__main__":
    main(*sys.argv[1:5])
