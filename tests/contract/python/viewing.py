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
from apivideo.api.player_themes_api import PlayerThemesApi
from apivideo.api.videos_api import VideosApi
from apivideo.exceptions import ApiException, NotFoundException
from apivideo.model.player_theme_creation_payload import PlayerThemeCreationPayload
from apivideo.model.player_theme_update_payload import PlayerThemeUpdatePayload
from apivideo.model.video_creation_payload import VideoCreationPayload
from PIL import Image

WHITE = "rgba(255, 255, 255, 1)"
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
    with urllib.request.urlopen(with_logo.assets.logo, timeout=30) as reply:
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


def main(base_url: str, key: str, wanted: str) -> None:
    assert apivideo.__version__ == wanted, apivideo.__file__
    auth.HOST_ENVIRONMENT["production"] = base_url
    with apivideo.AuthenticatedApiClient(key) as client:
        check_themes(client, VideosApi(client))


if __name__ == "__main__":
    main(*sys.argv[1:4])
