"""The command as a whole, against a server in this process."""

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from telecine.cli.upload import command
from telecine.cli.upload.api import Api
from telecine.cli.upload.command import title_of
from telecine.cli.upload.wishes import Access, Options, Wait, Wishes
from telecine.processes.exits import CannotGoOn, Exit
from tests.unit.cli.upload.fake_server import (
    BASE,
    KEY,
    TOKEN,
    FakeServer,
    encoded,
    problem,
)

ACCESS = Access(base_url=BASE, key=KEY)
QUICK = Wishes(wait=Wait.NONE, retry_for_s=0)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeServer:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    fake = FakeServer()

    def api(*words: Any, **options: Any) -> Api:
        return Api(*words, **options, transport=fake)

    monkeypatch.setattr(command, "Api", api)
    return fake


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "films"
    made.mkdir()
    for name in "abc":
        (made / f"{name}.mp4").write_bytes(name.encode() * 20)
    return made


def upload(*paths: Path, access: Access = ACCESS, wishes: Wishes = QUICK, **more: Any) -> None:
    command.run(access, paths, wishes, **more)


def test_a_folder_becomes_videos_named_after_its_files(
    server: FakeServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    upload(folder, wishes=replace(QUICK, options=Options(tags=["x"], tag_folder=True)))
    assert [video.title for video in server.videos.values()] == ["a", "b", "c"]
    assert [video.tags for video in server.videos.values()] == [["x", "films"]] * 3
    said = capsys.readouterr()
    assert said.out.count("is uploaded") == 3
    assert said.err == "All 3 are uploaded.\n"


def test_the_others_go_on_where_one_fails(
    server: FakeServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "b.mp4").write_bytes(b"")
    server.fail("vi1/source", problem(400, "uploaded-file-too-large", "It is too large."))
    with pytest.raises(CannotGoOn) as caught:
        upload(folder, wishes=replace(QUICK, json=True))
    assert caught.value.status is Exit.FAILED
    assert str(caught.value).splitlines() == [
        "1 of 3 are uploaded.",
        "  b.mp4: The file is empty.",
        "  c.mp4: It is too large.",
    ]
    lines = {line["file"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert lines[str(folder / "a.mp4")] == {
        "file": str(folder / "a.mp4"),
        "status": "uploaded",
        "videoId": "vi0",
        "title": "a",
        "player": f"{BASE}/vod/vi0",
        "hls": f"{BASE}/vod/vi0/hls",
        "mp4": f"{BASE}/vod/vi0/mp4",
        "error": None,
    }
    assert lines[str(folder / "b.mp4")]["error"] == "The file is empty."
    assert lines[str(folder / "b.mp4")]["status"] == "failed"
    assert len(lines) == 3


def test_only_one_file_fails_with_its_own_reason(server: FakeServer, folder: Path) -> None:
    (folder / "a.mp4").write_bytes(b"")
    with pytest.raises(CannotGoOn, match=r"^a\.mp4: The file is empty\.$"):
        upload(folder / "a.mp4")


@pytest.mark.parametrize(
    ("trouble", "status"),
    [
        (httpx.ConnectError("refused"), Exit.SERVER_UNREACHABLE),
        (problem(401, "authentication-invalid-api-key", "The API key is invalid."), Exit.FAILED),
    ],
)
def test_what_no_other_file_would_survive_ends_all(
    server: FakeServer, folder: Path, trouble: Any, status: Exit
) -> None:
    server.fail("POST /videos ", trouble)
    with pytest.raises(CannotGoOn) as caught:
        upload(folder)
    assert caught.value.status is status
    assert str(caught.value).count("It was not tried.") == 2
    assert server.videos == {}


def test_urls_are_told_when_they_can_be_played(
    server: FakeServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.encodings = [encoded("encoded")]
    upload(folder / "a.mp4", wishes=Wishes())
    first, player, hls = capsys.readouterr().out.splitlines()
    assert first.startswith("a.mp4 can be played after ")
    assert (player, hls) == (f"Player  {BASE}/vod/vi0", f"HLS     {BASE}/vod/vi0/hls")


def test_what_was_encoded_is_said_in_json(
    server: FakeServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.encodings = [encoded("encoded"), encoded("failed", playable=False)]
    with pytest.raises(CannotGoOn, match=r"b\.mp4: The media could not be encoded\."):
        upload(folder / "a.mp4", folder / "b.mp4", wishes=Wishes(json=True))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["status"], line["videoId"]) for line in lines] == [
        ("encoded", "vi0"),
        ("failed", "vi1"),
    ]


def test_pages_are_opened(
    server: FakeServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    upload(folder / "a.mp4", wishes=replace(QUICK, open_page=True))
    assert opened == [f"{BASE}/vod/vi0"]


def test_a_url_is_fetched_by_the_server(
    server: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    source = "https://example.com/films/My%20film.mov?signed=1"
    upload(sources=[source], wishes=replace(QUICK, json=True))
    assert (server.only.source, server.only.title) == (source, "My film")
    assert json.loads(capsys.readouterr().out)["status"] == "fetching"


@pytest.mark.parametrize(
    ("url", "title"),
    [
        ("https://a.test/x/y.tar.mp4?q=/z", "y.tar"),
        ("https://a.test/", "a.test"),
        ("nonsense", "nonsense"),
    ],
)
def test_the_title_of_a_url(url: str, title: str) -> None:
    assert title_of(url) == title


def test_a_token_is_enough(server: FakeServer, folder: Path) -> None:
    server.manifests = [202, 200]
    upload(folder / "a.mp4", access=Access(base_url=BASE, token=TOKEN), wishes=Wishes())
    assert server.only.title == "a.mp4"


BY_TOKEN = Access(base_url=BASE, token=TOKEN)


@pytest.mark.parametrize(
    ("access", "wishes", "more", "why"),
    [
        (BY_TOKEN, Wishes(options=Options(tags=["x"])), {}, "--tag"),
        (BY_TOKEN, Wishes(options=Options(tag_folder=True)), {}, "--folder"),
        (BY_TOKEN, Wishes(), {"sources": ["https://a.test/b"]}, "--source"),
        (BY_TOKEN, Wishes(wait=Wait.ENCODED), {}, "--wait playable"),
        (ACCESS, Wishes(options=Options(title="x")), {}, "--title"),
        (ACCESS, Wishes(), {"include": ["*.nothing"]}, "nothing to upload"),
    ],
)
def test_wishes_that_do_not_go_together(
    server: FakeServer, folder: Path, access: Access, wishes: Wishes, more: Any, why: str
) -> None:
    with pytest.raises(CannotGoOn, match=why) as caught:
        upload(folder, access=access, wishes=wishes, **more)
    assert caught.value.status is Exit.USAGE
    assert server.lines == []


def test_being_stopped_tells_how_to_go_on(
    server: FakeServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = server._store

    def stop(*request: Any) -> httpx.Response:
        signal.raise_signal(signal.SIGINT)
        return store(*request)

    monkeypatch.setattr(server, "_store", stop)
    # The tests before may have left a handler of their own; a program starts with this one.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(CannotGoOn, match="goes on where"):
            upload(folder / "a.mp4")
    finally:
        signal.signal(signal.SIGINT, before)


def test_keys_come_from_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TELECINE_API_KEY", raising=False)
    monkeypatch.setenv("TELECINE_PUBLIC_URL", "https://video.example.com")
    with pytest.raises(CannotGoOn, match="No API key") as caught:
        command.access(None, None, None)
    assert caught.value.status is Exit.USAGE
    monkeypatch.setenv("TELECINE_API_KEY", "from-the-environment")
    monkeypatch.setenv("TELECINE_OPERATOR_KEY", "of-the-operator-only")
    assert command.access(None, None, None) == Access(
        base_url="https://video.example.com",
        key="from-the-environment",
        operator_key="of-the-operator-only",
    )
    elsewhere = command.access("https://other.example.com", "given", None)
    assert elsewhere == Access(base_url="https://other.example.com", key="given")
    assert command.access(None, None, TOKEN).key is None
