"""An upload in the chunks that `apivideo` chooses by itself.

Runs as a program of its own: `default_chunks.py BASE_URL API_KEY FILE`. Prints a line of
JSON: which file became which video.
"""

import json
import math
import sys
from pathlib import Path

import apivideo
import apivideo.auth_api_client as auth
from apivideo.api.videos_api import VideosApi
from apivideo.model.video_creation_payload import VideoCreationPayload


def main(base_url: str, key: str, path: str) -> None:
    auth.HOST_ENVIRONMENT["production"] = base_url
    file = Path(path)
    with apivideo.AuthenticatedApiClient(key) as client, file.open("rb") as opened:
        videos = VideosApi(client)
        video_id = videos.create(VideoCreationPayload(title="Default")).video_id
        videos.upload(video_id, opened)
        parts = videos.get_status(video_id).ingest.received_parts
        chunks = math.ceil(file.stat().st_size / client.configuration.chunk_size)
    assert 1 < chunks == parts.total == len(parts.parts)
    print(json.dumps({video_id: file.name}))


if __name__ == "__main__":
    main(*sys.argv[1:4])
