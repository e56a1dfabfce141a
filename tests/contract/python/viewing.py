"""What viewers see beside the video, with whichever version of `apivideo` is on the path.

Runs as a program of its own: `viewing.py BASE_URL API_KEY VERSION`.
"""

import io
import sys
import urllib.request
import uuid
from typing import Any

import apivideo
import apivideo.auth_api_client as auth
import pytest
from apivideo.api.captions_api import CaptionsApi
from apivideo.api.chapters_api import ChaptersApi
from apivideo.api.player_themes_api import PlayerThemesApi
from apivideo.api.videos_api import VideosApi
from apivideo.exceptions import ApiException, NotFoundException
from apivideo.model.captions_update_payload import CaptionsUpdatePayload
from apivideo.model.player_theme_creation_payload import PlayerThemeCreationPayload
from apivideo.model.player_theme_update_payload import PlayerThemeUpdatePayload
from apivideo.model.video_creation_payload import VideoCreationPayload
from PIL import Image

WHITE = "rgba(255, 255, 255, 1)"
KNOWS_LANGUAGE_NAMES = (1, 3, 2)
RUN = uuid.uuid4().hex


def logo() -> io.BytesIO:
    file = io.BytesIO()
    Image.new("RGB", (200, 100), "teal").save(file, "PNG")
    file.seek(0)
    file.name = "logo.png"  # what the client names its part after
    return file


def check_themes(client: Any, videos: VideosApi) -> None:
    players = PlayerThemesApi(client)
    made = players.create(PlayerThemeCreationPayload(text="rgba(1, 2, 3, .95)", enable_api=False))
    assert made.player_id.startswith("pl")
    assert (made.text, made.link, made.enable_api) == ("rgba(1, 2, 3, .95)", WHITE, False)
    assert (made.force_loop, made.enable_controls) == (False, True)
    assert made.created_at.utcoffset() is not None
    changed = players.update(made.player_id, PlayerThemeUpdatePayload(link="#0000ff"))
    assert (changed.text, changed.link) == ("rgba(1, 2, 3, .95)", "#0000ff")
    assert players.get(made.player_id).link == "#0000ff"
    listed = players.list(sort_by="createdAt", sort_order="desc", current_page=1, page_size=100)
    assert made.player_id in [each.player_id for each in listed.data]
    assert listed.pagination.items_total >= 1

    with_logo = players.upload_logo(made.player_id, file=logo(), link="https://my-company.com")
    assert with_logo.assets.link == "https://my-company.com"
    with urllib.request.urlopen(with_logo.assets.logo, timeout=240) as reply:
        assert reply.headers["Content-Type"] == "image/png"
    assert players.delete_logo(made.player_id) is None

    themed = videos.create(VideoCreationPayload(title=f"Themed {RUN}", player_id=made.player_id))
    assert themed.player_id == made.player_id
    videos.delete(themed.video_id)
    assert players.delete(made.player_id) is None
    with pytest.raises(NotFoundException):
        players.get(made.player_id)
    with pytest.raises(ApiException) as unknown:
        videos.create(VideoCreationPayload(title="no", player_id=made.player_id))
    assert unknown.value.status == 400


def text_file(text: str) -> io.BytesIO:
    file = io.BytesIO(f"WEBVTT\n\n00:01.000 --> 00:04.000\n{text}\n".encode())
    file.name = "en.vtt"
    return file


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=240) as reply:
        assert reply.headers["Content-Type"] == "text/vtt"
        return bytes(reply.read())


def check_captions(client: Any, video_id: str, version: tuple[int, ...]) -> None:
    captions = CaptionsApi(client)
    made = captions.upload(video_id, "en", text_file("hello"))
    assert (made.srclang, made.default) == ("en", False)
    assert made.uri == f"/videos/{video_id}/captions/en"
    if version >= KNOWS_LANGUAGE_NAMES:
        assert made.language_name == "English"
    assert fetched(made.src) == text_file("hello").getvalue()
    captions.upload(video_id, "fr", text_file("bonjour"))
    changed = captions.update(video_id, "fr", CaptionsUpdatePayload(default=True))
    assert changed.default is True
    assert captions.get(video_id, "en").default is False
    listed = captions.list(video_id, current_page=1, page_size=100)
    assert [each.srclang for each in listed.data] == ["en", "fr"]
    assert listed.pagination.items_total == 2
    assert captions.delete(video_id, "en") is None
    with pytest.raises(NotFoundException):
        captions.get(video_id, "en")
    with pytest.raises(ApiException) as unknown:
        captions.get(video_id, "tlh")
    assert unknown.value.status == 400


def check_chapters(client: Any, video_id: str) -> None:
    chapters = ChaptersApi(client)
    made = chapters.upload(video_id, "en", text_file("Introduction"))
    assert (made.language, made.uri) == ("en", f"/videos/{video_id}/chapters/en")
    assert fetched(made.src) == text_file("Introduction").getvalue()
    assert chapters.get(video_id, "en").src == made.src
    assert [each.language for each in chapters.list(video_id).data] == ["en"]
    assert chapters.delete(video_id, "en") is None
    with pytest.raises(NotFoundException):
        chapters.get(video_id, "en")


def main(base_url: str, key: str, wanted: str) -> None:
    assert apivideo.__version__ == wanted, apivideo.__file__
    auth.HOST_ENVIRONMENT["production"] = base_url
    with apivideo.AuthenticatedApiClient(key) as client:
        videos = VideosApi(client)
        check_themes(client, videos)
        video_id = videos.create(VideoCreationPayload(title=f"Texts {RUN}")).video_id
        check_captions(client, video_id, tuple(map(int, wanted.split("."))))
        check_chapters(client, video_id)
        videos.delete(video_id)


if __name__ == "__main__":
    main(*sys.argv[1:4])
