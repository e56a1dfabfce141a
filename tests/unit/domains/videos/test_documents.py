from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from telecine.domains.encodings.queries import Quality, SourceStatus
from telecine.domains.sources.queries import Ingest
from telecine.domains.videos import documents, legacy
from telecine.domains.videos.documents import Presenter
from telecine.domains.videos.queries import VideoRow
from telecine.http import text
from telecine.http.services import PublicUrls

NOW = datetime(2024, 7, 14, 23, 36, 7, 999_000, tzinfo=UTC)
ROW = VideoRow(
    id=UUID(int=1),
    public_id="vi1",
    title="T",
    description="",
    public=True,
    panoramic=False,
    mp4_support=True,
    tags=[],
    metadata=[],
    player_id=None,
    language=None,
    language_origin=None,
    live_stream_id=None,
    published_at=NOW,
    created_at=NOW,
    updated_at=NOW,
    discarded_at=None,
    deletes_at=None,
    thumbnail_key=None,
    thumbnail_at_ms=None,
)
PRESENTER = Presenter(PublicUrls.at("https://h/"), b"k" * 32, NOW)


def test_times_are_utc_in_whole_seconds() -> None:
    moment = NOW.astimezone(timezone(timedelta(hours=5)))
    assert text.atom(moment) == "2024-07-14T23:36:07+00:00"


def test_each_base_is_configured_apart() -> None:
    urls = PublicUrls(
        api="https://a", embed="https://e", vod="https://v", live="https://l", collector="https://c"
    )
    assets = replace(PRESENTER, urls=urls).video(ROW)["assets"]
    assert assets["player"] == "https://e/vod/vi1"
    assert assets["mp4"] == "https://v/vod/vi1/mp4/source.mp4"


def test_a_recording_names_its_live_stream() -> None:
    source = PRESENTER.video(ROW._replace(live_stream_id="li1"))["source"]
    assert source == {
        "uri": "/videos/vi1/source",
        "type": "liveStream",
        "liveStream": {
            "liveStreamId": "li1",
            "links": [{"rel": "self", "uri": "/live-streams/li1"}],
        },
    }


def test_a_discarded_video_has_no_assets() -> None:
    document = PRESENTER.video(ROW._replace(discarded_at=NOW, deletes_at=NOW))
    assert document["assets"] is None
    assert document["discarded"] is True
    assert document["deletesAt"] == text.atom(NOW)


def test_a_theme_is_told_only_if_there_is_one() -> None:
    assert "playerId" not in PRESENTER.video(ROW)
    assert PRESENTER.video(ROW._replace(player_id="pl1"))["playerId"] == "pl1"


STATUS = SourceStatus(
    Ingest("ingested", None, [(0, 9, None)], [3, 1, 2], 3),
    playable=True,
    qualities=[Quality("hls", "240p", "encoded"), Quality("mp4", "240p", "encoding")],
    summary={"width": 640, "samplerate": None, "other": 1},
)


def test_a_status_in_full() -> None:
    document = documents.status(STATUS)
    assert document["ingest"] == {
        "status": "ingested",
        "filesize": None,
        "receivedBytes": [{"from": 0, "to": 9, "total": None}],
        "receivedParts": {"parts": [1, 2, 3], "total": 3},
    }
    encoding = document["encoding"]
    assert encoding["playable"] is True
    assert encoding["qualities"] == [
        {"type": "hls", "quality": "240p", "status": "encoded"},
        {"type": "mp4", "quality": "240p", "status": "encoding"},
    ]
    assert encoding["metadata"]["width"] == 640
    assert encoding["metadata"]["samplerate"] is None
    assert "other" not in encoding["metadata"]


@pytest.mark.parametrize(("version", "parts"), [((1, 2, 2), False), ((1, 2, 3), True)])
def test_a_status_for_old_clients(version: tuple[int, int, int], parts: bool) -> None:
    document = legacy.status(documents.status(STATUS), version)
    assert document["ingest"]["status"] == "uploaded"
    assert "filesize" not in document["ingest"]
    assert ("receivedParts" in document["ingest"]) is parts
    assert document["encoding"]["metadata"] == {"width": 640}


def test_a_video_for_old_clients_has_no_nulls() -> None:
    document = legacy.video(PRESENTER.video(ROW._replace(language="fr")))
    assert "language" not in document
    assert None not in document.values()


@pytest.mark.parametrize("name", [name for name in VideoRow._fields if name != "updated_at"])
def test_every_column_makes_another_version(name: str) -> None:
    changed: dict[str, Any] = {name: "other"}
    assert documents.etag(ROW._replace(**changed)) != documents.etag(ROW)


def test_a_version_is_the_same_in_every_time_zone() -> None:
    later = ROW._replace(updated_at=NOW + timedelta(microseconds=1))
    assert documents.etag(later) != documents.etag(ROW)
    elsewhere = ROW._replace(updated_at=NOW.astimezone(timezone(timedelta(hours=5))))
    assert documents.etag(elsewhere) == documents.etag(ROW)
