"""An upload of `apivideo` whose connection breaks, and goes through when it is sent again.

Runs as a program of its own: `resend.py BASE_URL API_KEY SCENARIO FOLDER`. After the
first failure it prints `broken` and waits for a line; last, it prints a line of JSON:
which file became which video.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apivideo
import apivideo.auth_api_client as auth
import pytest
from apivideo.api.upload_tokens_api import UploadTokensApi
from apivideo.api.videos_api import VideosApi
from apivideo.configuration import Configuration
from apivideo.exceptions import ApiException
from apivideo.model.token_creation_payload import TokenCreationPayload
from apivideo.model.video_creation_payload import VideoCreationPayload
from urllib3 import Retry
from urllib3.exceptions import HTTPError

CHUNK_BYTES = 5 * 1024 * 1024
PARTS = ("large.mp4.part.a", "large.mp4.part.b", "large.mp4.part.c")


class Resender:
    def __init__(self, client: Any, folder: Path) -> None:
        client.configuration.chunk_size = CHUNK_BYTES
        self._videos = VideosApi(client)
        self._tokens = UploadTokensApi(client)
        self._folder = folder

    @contextmanager
    def _file(self, name: str) -> Iterator[Any]:
        with (self._folder / name).open("rb") as file:
            yield file

    def _container(self) -> str:
        return str(self._videos.create(VideoCreationPayload(title="Sent again")).video_id)

    def _upload(self, video_id: str, name: str) -> Any:
        with self._file(name) as file:
            return self._videos.upload(video_id, file)

    def small(self) -> dict[str, str]:
        video_id = self._container()
        again(lambda: self._upload(video_id, "small.mp4"))
        return {video_id: "small.mp4"}

    def first(self) -> dict[str, str]:
        video_id = self._container()
        again(lambda: self._upload(video_id, "large.mp4"))
        return {video_id: "large.mp4"}

    def later(self) -> dict[str, str]:
        """Begin from the front: the part that the client was told of is refused."""
        video_id = self._container()
        with pytest.raises(ApiException) as refused:
            again(lambda: self._upload(video_id, "large.mp4"))
        slug = json.loads(refused.value.body)["type"].rpartition("/")[2]
        assert slug == "video-content-range-by-part-part-already-sent"
        other = self._container()
        self._upload(other, "large.mp4")
        return {other: "large.mp4"}

    def retried(self) -> dict[str, str]:
        """The client's own setting: nobody calls it again."""
        video_id = self._container()
        self._upload(video_id, "large.mp4")
        return {video_id: "large.mp4"}

    def session(self) -> dict[str, str]:
        video_id = self._container()
        session = self._videos.create_upload_progressive_session(video_id)
        for number, name in enumerate(PARTS, 1):

            def send(number: int = number, name: str = name) -> None:
                session.current_part = number  # counted on also by what failed
                with self._file(name) as file:
                    if name == PARTS[-1]:
                        session.uploadLastPart(file)
                    else:
                        session.uploadPart(file)

            again(send) if number == 2 else send()
        return {video_id: "large.mp4"}

    def token(self) -> dict[str, str]:
        token = str(self._tokens.create_token(TokenCreationPayload(ttl=3600)).token)

        def upload() -> Any:
            with self._file("large.mp4") as file:
                return self._videos.upload_with_upload_token(token, file)

        return {str(again(upload).video_id): "large.mp4"}


def again(call: Callable[[], Any]) -> Any:
    """Do something that must fail for want of a connection, and once more."""
    with pytest.raises(HTTPError):
        call()
    print("broken", flush=True)
    sys.stdin.readline()
    return call()


def main(base_url: str, key: str, scenario: str, folder: str) -> None:
    auth.HOST_ENVIRONMENT["production"] = base_url
    configuration = Configuration()
    if scenario == "retried":
        configuration.retries = Retry(5, allowed_methods=None, backoff_factor=0.2)
    with apivideo.AuthenticatedApiClient(key, configuration=configuration) as client:
        print(json.dumps(getattr(Resender(client, Path(folder)), scenario)()))


if __name__ == "__main__":
    main(*sys.argv[1:5])
