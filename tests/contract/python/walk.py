"""The life of a video, walked with whichever version of `apivideo` is on the path.

Runs as a program of its own, so that each version has an interpreter to itself:
`walk.py BASE_URL API_KEY VERSION CLIP IMAGE`. Old versions check every answer strictly:
their models refuse members and nulls that they do not know.
"""

import importlib
import json
import sys
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import apivideo
import apivideo.auth_api_client as auth
import pytest
from apivideo.api.live_streams_api import LiveStreamsApi
from apivideo.api.videos_api import VideosApi
from apivideo.api.webhooks_api import WebhooksApi
from apivideo.exceptions import ApiException, NotFoundException, UnauthorizedException
from apivideo.model.live_stream_creation_payload import LiveStreamCreationPayload
from apivideo.model.live_stream_update_payload import LiveStreamUpdatePayload
from apivideo.model.metadata import Metadata
from apivideo.model.video_creation_payload import VideoCreationPayload
from apivideo.model.video_thumbnail_pick_payload import VideoThumbnailPickPayload
from apivideo.model.video_update_payload import VideoUpdatePayload
from apivideo.model.webhooks_creation_payload import WebhooksCreationPayload

WITHIN_S = 240
TOLERANT_FROM = (1, 3, 2)
NO_SUCH_VIDEO = "viAAAAAAAAAAAAAAAAAAAAAA"

RUN = uuid.uuid4().hex
"""Marks what this run made: other runs may use the same project."""


def problem_of(error: ApiException) -> dict[str, Any]:
    assert error.headers["Content-Type"] == "application/problem+json", error.headers
    problem: dict[str, Any] = json.loads(error.body)
    assert problem["status"] == error.status
    return problem


def create(videos: VideosApi, title: str, **members: Any) -> Any:
    return videos.create(VideoCreationPayload(title=f"{title} {RUN}", **members))


def titles(page: Any) -> list[str]:
    return [video.title.split()[0] for video in page.data]


def check_creation(videos: VideosApi) -> None:
    plain = create(videos, "Plain")
    assert plain.video_id.startswith("vi")
    assert plain.description == ""
    assert (plain.public, plain.panoramic, plain.mp4_support) == (True, False, True)
    assert list(plain.tags) == []
    assert list(plain.metadata) == []
    assert plain.source.uri == f"/videos/{plain.video_id}/source"
    assert plain.assets.player.endswith(f"/vod/{plain.video_id}")
    assert plain.assets.mp4.endswith("/mp4/source.mp4")
    # Deserialised as a time: the format is one that every version reads.
    assert plain.created_at.utcoffset() is not None
    assert plain.created_at <= plain.updated_at

    hidden = create(videos, "Hidden", public=False, mp4_support=False, panoramic=True)
    assert (hidden.public, hidden.mp4_support, hidden.panoramic) == (False, False, True)
    assert "/token/" in hidden.assets.hls
    assert "?token=" in hidden.assets.player
    assert "mp4" not in hidden.assets.to_dict()
    for video in (plain, hidden):
        videos.delete(video.video_id)


def check_lists(videos: VideosApi) -> None:
    made = [
        create(videos, "Apple", tags=[f"red{RUN}", f"fruit{RUN}"], description=f"tree-{RUN}-a"),
        create(
            videos,
            "Cherry",
            tags=[f"red{RUN}"],
            metadata=[Metadata(key="run", value=RUN), Metadata(key="Kern & Co", value="1/2 + ü")],
        ),
        create(videos, "Banana", metadata=[Metadata(key="run", value=RUN)]),
    ]
    by_title = {"title": RUN, "sort_by": "title"}
    assert titles(videos.list(**by_title, sort_order="asc")) == ["Apple", "Banana", "Cherry"]
    assert titles(videos.list(**by_title, sort_order="desc")) == ["Cherry", "Banana", "Apple"]
    for key in ("createdAt", "publishedAt", "updatedAt"):
        newest_first = videos.list(title=RUN, sort_by=key, sort_order="desc")
        assert titles(newest_first) == ["Banana", "Cherry", "Apple"], key
    assert titles(videos.list(title=f"cherry {RUN}")) == ["Cherry"]
    assert titles(videos.list(title=f"no{RUN}")) == []
    assert sorted(titles(videos.list(tags=[f"red{RUN}"]))) == ["Apple", "Cherry"]
    assert titles(videos.list(tags=[f"red{RUN}", f"fruit{RUN}"])) == ["Apple"]
    assert titles(videos.list(tags=[f"re{RUN}"])) == []
    assert sorted(titles(videos.list(metadata={"run": RUN}))) == ["Banana", "Cherry"]
    assert titles(videos.list(metadata={"run": RUN, "Kern & Co": "1/2 + ü"})) == ["Cherry"]
    assert titles(videos.list(metadata={"run": f"{RUN}x"})) == []
    assert titles(videos.list(description=f"tree-{RUN}")) == ["Apple"]
    assert titles(videos.list(title=RUN, live_stream_id="liAAAAAAAAAAAAAAAAAAAAAA")) == []

    page = videos.list(**by_title, sort_order="asc", current_page=2, page_size=2)
    assert titles(page) == ["Cherry"]
    paging = page.pagination
    assert (paging.items_total, paging.pages_total, paging.page_size) == (3, 2, 2)
    assert (paging.current_page, paging.current_page_items) == (2, 1)
    assert [link.rel for link in paging.links] == ["self", "first", "previous", "last"]
    assert titles(videos.list(title=RUN, current_page=9)) == []
    for video in made:
        videos.delete(video.video_id)


def check_changes(videos: VideosApi) -> None:
    video = create(videos, "Draft", tags=["a", "b"], metadata=[Metadata(key="k", value="v")])
    changed = videos.update(
        video.video_id, VideoUpdatePayload(title=f"Final {RUN}", tags=["c"], public=False)
    )
    assert changed.title == f"Final {RUN}"
    assert list(changed.tags) == ["c"]
    assert changed.public is False
    assert [pair.key for pair in changed.metadata] == ["k"], "absent members stay"
    assert changed.updated_at >= video.updated_at
    emptied = videos.update(video.video_id, VideoUpdatePayload(metadata=[], description="text"))
    assert list(emptied.metadata) == []
    assert emptied.description == "text"
    assert videos.get(video.video_id).title == f"Final {RUN}"
    videos.delete(video.video_id)


def check_playback(videos: VideosApi, clip: Path, version: tuple[int, ...]) -> str:
    video = create(videos, "Clip")
    before = videos.get_status(video.video_id)
    assert before.encoding.playable is False
    assert list(before.encoding.qualities) == []
    if version >= TOLERANT_FROM:
        assert before.ingest is None
    else:
        assert "ingest" not in before.to_dict()

    with clip.open("rb") as file:
        uploaded = videos.upload(video.video_id, file)
    assert uploaded.video_id == video.video_id
    assert uploaded.title == f"Clip {RUN}"
    status = wait_until_playable(videos, video.video_id)
    assert status.ingest.status == "uploaded"
    assert status.ingest.filesize == clip.stat().st_size
    kinds = {(quality.type, quality.quality) for quality in status.encoding.qualities}
    assert ("hls", "240p") in kinds
    assert status.encoding.metadata.width == 320
    assert status.encoding.metadata.height == 240
    assert status.encoding.metadata.video_codec == "h264"

    with urllib.request.urlopen(videos.get(video.video_id).assets.hls, timeout=WITHIN_S) as reply:
        assert reply.status == 200
        assert reply.read().startswith(b"#EXTM3U")
    with clip.open("rb") as file, pytest.raises(ApiException) as refusal:
        videos.upload(video.video_id, file)
    assert refusal.value.status == 400
    assert problem_of(refusal.value)["type"].endswith("/video-source-already-uploaded")
    return str(video.video_id)


def wait_until_playable(videos: VideosApi, video_id: str) -> Any:
    deadline = time.monotonic() + WITHIN_S
    while True:
        status = videos.get_status(video_id)
        if status.encoding.playable:
            return status
        assert time.monotonic() < deadline, status
        time.sleep(0.1)  # as applications of this client do


def check_thumbnails(videos: VideosApi, video_id: str, image: Path) -> None:
    with image.open("rb") as file:
        assert videos.upload_thumbnail(video_id, file).video_id == video_id
    with urllib.request.urlopen(videos.get(video_id).assets.thumbnail, timeout=WITHIN_S) as reply:
        assert reply.headers["Content-Type"] == "image/jpeg"
    picked = videos.pick_thumbnail(video_id, VideoThumbnailPickPayload(timecode="00:00:00.50"))
    assert picked.video_id == video_id


def check_restreams(streams: LiveStreamsApi, stream_id: str) -> None:
    model = importlib.import_module("apivideo.model.restreams_request_object")
    url = "rtmp://live.example.com/app"
    elsewhere = model.RestreamsRequestObject(name="Elsewhere", server_url=url, stream_key="key")
    changed = streams.update(stream_id, LiveStreamUpdatePayload(restreams=[elsewhere]))
    assert [(each.name, each.server_url, each.stream_key) for each in changed.restreams] == [
        ("Elsewhere", url, "key")
    ]
    assert streams.complete(stream_id) is None


def check_live_streams(streams: LiveStreamsApi, image: Path) -> None:
    made = streams.create(LiveStreamCreationPayload(name=f"Studio {RUN}"))
    assert made.live_stream_id.startswith("li")
    assert uuid.UUID(made.stream_key).version == 4
    assert (made.public, made.broadcasting) == (True, False)
    assert made.assets.hls.endswith(f"/{made.live_stream_id}.m3u8")
    assert made.assets.player.endswith(f"/live/{made.live_stream_id}")
    assert streams.get(made.live_stream_id).stream_key == made.stream_key
    found = streams.list(stream_key=made.stream_key)
    assert [each.live_stream_id for each in found.data] == [made.live_stream_id]
    assert [each.name for each in streams.list(name=RUN).data] == [made.name]
    hidden = streams.update(
        made.live_stream_id, LiveStreamUpdatePayload(name=f"Stage {RUN}", public=False)
    )
    assert (hidden.name, hidden.public) == (f"Stage {RUN}", False)
    assert "/private/" in hidden.assets.hls
    if hasattr(streams, "complete"):  # clients of 2022 and before know neither
        check_restreams(streams, made.live_stream_id)
    with image.open("rb") as file:
        pictured = streams.upload_thumbnail(made.live_stream_id, file)
    assert pictured.assets.thumbnail.endswith("/thumbnail.jpg")
    assert streams.delete_thumbnail(made.live_stream_id).live_stream_id == made.live_stream_id
    assert streams.delete(made.live_stream_id) is None
    with pytest.raises(NotFoundException) as gone:
        streams.get(made.live_stream_id)
    assert problem_of(gone.value)["name"] == "liveStreamId"


def check_webhooks(webhooks: WebhooksApi, version: tuple[int, ...]) -> None:
    wish = WebhooksCreationPayload(
        events=["video.encoding.quality.completed"], url=f"https://example.com/{RUN}?a=b"
    )
    made = webhooks.create(wish)
    assert made.webhook_id.startswith("webhook_")
    assert (list(made.events), made.url) == (list(wish.events), wish.url)
    assert made.created_at.utcoffset() is not None
    assert ("signature_secret" in made.to_dict()) == (version >= TOLERANT_FROM)
    assert webhooks.get(made.webhook_id) == made
    of_event = webhooks.list(events="video.encoding.quality.completed", page_size=100)
    assert made.webhook_id in [each.webhook_id for each in of_event.data]
    of_another = webhooks.list(events="live-stream.broadcast.ended", page_size=100)
    assert made.webhook_id not in [each.webhook_id for each in of_another.data]
    assert webhooks.delete(made.webhook_id) is None
    with pytest.raises(NotFoundException) as gone:
        webhooks.delete(made.webhook_id)
    assert problem_of(gone.value)["name"] == "webhookId"


def check_errors(videos: VideosApi, client: Any) -> None:
    with pytest.raises(NotFoundException) as unknown:
        videos.get(NO_SUCH_VIDEO)
    problem = problem_of(unknown.value)
    assert problem["type"].endswith("/resource-not-found")
    assert problem["title"] == "The requested resource was not found."
    assert problem["name"] == "videoId"

    with pytest.raises(ApiException) as refusal:
        videos.list(current_page=0, page_size=1000)
    assert refusal.value.status == 400
    problem = problem_of(refusal.value)
    assert problem["name"] == "page"
    assert [item["name"] for item in problem["problems"]] == ["page", "pageSize"]

    client.refresh_token()
    videos.list(page_size=1)
    client._access_token = "nonsense"
    with pytest.raises(UnauthorizedException) as stranger:
        videos.list()
    assert problem_of(stranger.value)["type"].endswith("/authentication-invalid-access-token")
    client.connect()
    with pytest.raises(ApiException) as wrong_key:
        apivideo.AuthenticatedApiClient("wrong" + RUN).connect()
    problem = problem_of(wrong_key.value)
    assert problem["type"].endswith("/authentication-invalid-user-credentials")
    assert (problem["status"], problem["name"]) == (400, "")


def main(base_url: str, key: str, wanted: str, clip: str, image: str) -> None:
    version = tuple(map(int, wanted.split(".")))
    assert apivideo.__version__ == wanted, apivideo.__file__
    auth.HOST_ENVIRONMENT["production"] = base_url
    with apivideo.AuthenticatedApiClient(key) as client:
        videos = VideosApi(client)
        check_creation(videos)
        check_lists(videos)
        check_changes(videos)
        video_id = check_playback(videos, Path(clip), version)
        check_thumbnails(videos, video_id, Path(image))
        check_live_streams(LiveStreamsApi(client), Path(image))
        check_webhooks(WebhooksApi(client), version)
        check_errors(videos, client)
        assert videos.delete(video_id) is None
        with pytest.raises(NotFoundException) as gone:
            videos.get_status(video_id)
        assert problem_of(gone.value)["name"] == "videoId"


if __name__ == "__main__":
    main(*sys.argv[1:6])
