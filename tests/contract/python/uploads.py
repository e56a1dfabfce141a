"""Every way to upload that a version of `apivideo` has, in 5 MiB chunks.

Runs as a program of its own: `uploads.py BASE_URL API_KEY VERSION FOLDER`. The folder has
`small.mp4`, `large.mp4` and that in parts, `large.mp4.part.a` to `c`. Prints a line of
JSON: which file became which video.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apivideo
import apivideo.auth_api_client as auth
import pytest
from apivideo.api.upload_tokens_api import UploadTokensApi
from apivideo.api.videos_api import VideosApi
from apivideo.exceptions import ApiException, NotFoundException
from apivideo.model.token_creation_payload import TokenCreationPayload
from apivideo.model.video_creation_payload import VideoCreationPayload

CHUNK_BYTES = 5 * 1024 * 1024
FIRST_WITH_PARTS = (1, 2, 3)
PARTS = ("large.mp4.part.a", "large.mp4.part.b", "large.mp4.part.c")


class Uploads:
    """One client with its videos; `made` are the files that were uploaded, by video."""

    def __init__(self, client: Any, version: tuple[int, ...], folder: Path) -> None:
        client.configuration.chunk_size = CHUNK_BYTES
        self.tokens = UploadTokensApi(client)
        self.videos = VideosApi(client)
        self.made: dict[str, str] = {}
        self._version = version
        self._folder = folder

    @contextmanager
    def file(self, name: str) -> Iterator[Any]:
        with (self._folder / name).open("rb") as file:
            yield file

    def container(self, title: str) -> str:
        return str(self.videos.create(VideoCreationPayload(title=title)).video_id)

    def check(self, video: Any, name: str, title: str, chunks: int | None) -> None:
        """Compare what became of a file with what its client was told."""
        self.made[video.video_id] = name
        assert video.title == title
        assert self.videos.get(video.video_id).title == title
        ingest = self.videos.get_status(video.video_id).ingest
        assert ingest.status == "uploaded"
        assert ingest.filesize == (self._folder / name).stat().st_size
        if chunks is not None and self._version >= FIRST_WITH_PARTS:
            assert list(ingest.received_parts.parts) == list(range(1, chunks + 1))
            assert ingest.received_parts.total == chunks

    def with_key(self) -> None:
        for name, chunks in (("small.mp4", 1), ("large.mp4", 3)):
            video_id = self.container(f"Key {name}")
            with self.file(name) as file:
                video = self.videos.upload(video_id, file)
            assert video.video_id == video_id
            self.check(video, name, f"Key {name}", chunks)

    def progressively(self) -> None:
        video_id = self.container("Progressive")
        video = self.session(self.videos.create_upload_progressive_session(video_id))
        assert video.video_id == video_id
        self.check(video, "large.mp4", "Progressive", 3)

    def session(self, session: Any) -> Any:
        for name in PARTS[:-1]:
            with self.file(name) as file:
                session.uploadPart(file)
        with self.file(PARTS[-1]) as file:
            return session.uploadLastPart(file)

    def with_token(self) -> None:
        token = self.token(3600)
        # Chunks without the id of their video: this client never sends it here.
        for name, chunks in (("small.mp4", 1), ("large.mp4", 3), ("large.mp4", 3)):
            with self.file(name) as file:
                video = self.videos.upload_with_upload_token(token, file)
            self.check(video, name, name, chunks)
        begin = self.videos.create_upload_with_upload_token_progressive_session
        self.check(self.session(begin(token)), "large.mp4", PARTS[0], 3)
        video_id = self.container("Kept")
        video = self.session(begin(token, video_id))
        assert video.video_id == video_id
        self.check(video, "large.mp4", "Kept", 3)
        self.delete(token)

    def token(self, ttl_s: int) -> str:
        made = self.tokens.create_token(TokenCreationPayload(ttl=ttl_s))
        assert made.ttl == ttl_s
        assert (made.expires_at - made.created_at).total_seconds() == ttl_s
        assert self.tokens.get_token(made.token).token == made.token
        listed = self.tokens.list(sort_by="createdAt", sort_order="desc", page_size=1)
        assert [each.token for each in listed.data] == [made.token]
        return str(made.token)

    def delete(self, token: str) -> None:
        assert self.tokens.delete_token(token) is None
        with pytest.raises(NotFoundException) as gone:
            self.tokens.get_token(token)
        assert json.loads(gone.value.body)["name"] == "uploadToken"
        with self.file("small.mp4") as file, pytest.raises(ApiException) as refused:
            self.videos.upload_with_upload_token(token, file)
        assert refused.value.status == 401
        slug = json.loads(refused.value.body)["type"].rpartition("/")[2]
        assert slug == "authentication-invalid-upload-token"


def main(base_url: str, key: str, wanted: str, folder: str) -> None:
    assert apivideo.__version__ == wanted, apivideo.__file__
    auth.HOST_ENVIRONMENT["production"] = base_url
    with apivideo.AuthenticatedApiClient(key) as client:
        uploads = Uploads(client, tuple(map(int, wanted.split("."))), Path(folder))
        uploads.with_key()
        uploads.progressively()
        uploads.with_token()
    print(json.dumps(uploads.made))


if __name__ == "__main__":
    main(*sys.argv[1:5])
