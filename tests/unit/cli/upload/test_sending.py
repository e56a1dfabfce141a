"""A file on its way to a server that is slow, forgets, breaks and comes back."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from telecine.cli.upload.api import Refused, Video
from telecine.cli.upload.files import Found
from telecine.cli.upload.patience import Patience
from telecine.cli.upload.records import Records
from telecine.cli.upload.sending import Sender
from telecine.formats.mp4.boxes import box
from telecine.processes.exits import CannotGoOn, Exit
from tests.fixtures.waiting import until
from tests.unit.cli.upload.fake_server import (
    SMALL_PARTS,
    TOKEN,
    FakeServer,
    Seen,
    problem,
)

pytestmark = pytest.mark.anyio

CONTENT = bytes(range(65, 65 + 35))  # four parts
BROKEN = httpx.ReadError("connection reset")


class Commands:
    """Uploads of one file, each as a command of its own would do it."""

    def __init__(self, folder: Path) -> None:
        self.server = FakeServer()
        self.path = folder / "film" / "a.mp4"
        self.path.parent.mkdir()
        self.path.write_bytes(CONTENT)
        self.state = folder / "state"
        self.pauses_s: list[float] = []
        self.seen = Seen()

    async def pause(self, seconds: float) -> None:
        self.pauses_s.append(seconds)

    async def upload(self, token: str | None = None, **options: Any) -> Video:
        access = {} if token is None else {"token": token}
        self.seen = Seen()
        self.server.lines.clear()
        patience = Patience(600, self.seen.note, self.pause)
        async with self.server.api(**access) as api:
            sender = Sender(
                api,
                Records(self.state, self.seen.note),
                patience,
                self.seen,
                replace(SMALL_PARTS, **options),
            )
            return await sender.send(Found(self.path, self.path.name))

    async def killed(self, **options: Any) -> None:
        """Begin an upload and kill it while it sends its third part."""
        self.server.fail(" 3/4", asyncio.Event())
        task = asyncio.ensure_future(self.upload(parallel=1, **options))
        await when(lambda: "3/4" in self.server.ranges)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    @property
    def kept(self) -> list[str]:
        return [path.suffix for path in self.state.iterdir()]


async def when(condition: Callable[[], bool]) -> None:
    async def look() -> bool:
        return condition()

    await until(look)


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(tmp_path)


async def test_a_small_file_goes_in_one_request(commands: Commands) -> None:
    video = await commands.upload(part_bytes=35, tags=["x"], tag_folder=True)
    assert commands.server.ranges == ["-", "-"]
    stored = commands.server.only
    assert (stored.content, stored.title, stored.tags) == (CONTENT, "a", ["x", "film"])
    assert video.video_id == stored.video_id
    assert commands.server.file_names == ["a.mp4"]
    assert commands.kept == []


async def test_a_large_file_goes_in_parts(commands: Commands) -> None:
    await commands.upload(title="Mine")
    assert sorted(commands.server.ranges) == ["-", "1/4", "2/4", "3/4", "4/4"]
    assert (commands.server.only.content, commands.server.only.title) == (CONTENT, "Mine")
    assert commands.seen.bytes[0] == 0
    assert commands.seen.bytes[-1] == len(CONTENT)
    assert commands.kept == []


@pytest.mark.parametrize("parallel", [1, 3])
async def test_so_many_parts_are_on_their_way_at_once(commands: Commands, parallel: int) -> None:
    gates = [asyncio.Event() for _ in range(4)]
    for number, gate in enumerate(gates, 1):
        commands.server.fail(f" {number}/4", gate)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(commands.upload(parallel=parallel))
        for left, gate in zip(range(len(gates), 0, -1), gates, strict=True):
            under_way = min(parallel, left)
            await when(lambda: commands.server.under_way == under_way)  # noqa: B023 - at once
            gate.set()
        await task
    assert commands.server.most_under_way == parallel
    assert commands.server.only.content == CONTENT


async def test_the_index_at_the_end_of_an_mp4_goes_first(commands: Commands) -> None:
    commands.path.write_bytes(
        box(b"ftyp", b"isom") + box(b"mdat", b"x" * 25) + box(b"moov", b"y" * 6)
    )
    await commands.upload(parallel=1)
    assert commands.server.ranges == ["-", "5/6", "6/6", "1/6", "2/6", "3/6", "4/6"]
    assert commands.server.only.content == commands.path.read_bytes()


TROUBLES = [
    (BROKEN, None),
    (httpx.ConnectTimeout("timed out"), None),
    (httpx.Response(500), None),
    (problem(503, "x", "Busy.", **{"Retry-After": "3"}), 3),
    (problem(429, "too-many-requests", "Slow down.", **{"Retry-After": "9"}), 9),
    (problem(507, "insufficient-storage", "No room.", **{"Retry-After": "60"}), 60),
]


@pytest.mark.parametrize(("trouble", "pause_s"), TROUBLES, ids=repr)
@pytest.mark.parametrize("stores", [False, True], ids=["before", "after it was stored"])
async def test_a_part_survives_trouble(
    commands: Commands, trouble: Any, pause_s: float | None, stores: bool
) -> None:
    commands.server.fail(" 2/4", trouble, stores=stores)
    await commands.upload()
    assert commands.server.only.content == CONTENT
    assert commands.server.ranges.count("2/4") == (1 if stores else 2)
    assert pause_s in {None, *commands.pauses_s}
    assert len(commands.pauses_s) == 1
    assert commands.seen.bytes[-1] == len(CONTENT)


@pytest.mark.parametrize("stores", [False, True])
async def test_a_whole_file_survives_trouble(commands: Commands, stores: bool) -> None:
    commands.server.fail("/source", BROKEN, stores=stores)
    await commands.upload(part_bytes=100)
    assert commands.server.only.content == CONTENT
    assert len(commands.server.bodies_bytes) == 1


@pytest.mark.parametrize("stores", [False, True])
async def test_a_lost_answer_makes_no_second_video(commands: Commands, stores: bool) -> None:
    commands.server.fail("POST /videos ", httpx.Response(502), stores=stores)
    await commands.upload()
    assert commands.server.only.content == CONTENT


async def test_a_part_that_turns_out_to_be_there_is_no_failure(commands: Commands) -> None:
    commands.server.fail(" 3/4", BROKEN, stores=True)
    commands.server.fail("/status", httpx.Response(500))
    real = commands.server._status
    seen: list[int] = []

    def late(video: Any) -> Any:
        told = real(video)
        if not seen:  # the first look is too early, the part arrives at the second try
            told["ingest"]["receivedParts"]["parts"].remove(3)
        seen.append(1)
        return told

    commands.server._status = late  # type: ignore[method-assign]
    await commands.upload()
    assert commands.server.only.content == CONTENT


async def test_parts_that_are_refused_end_the_upload(commands: Commands) -> None:
    commands.server.fail(" 2/4", problem(400, "uploaded-file-too-small", "It is too small."))
    with pytest.raises(Refused, match=r"It is too small\."):
        await commands.upload()
    assert commands.pauses_s == []


async def test_a_repetition_that_we_did_not_cause_is_an_error(commands: Commands) -> None:
    commands.server.fail(" 2/4", problem(400, "part-already-sent", "It was already sent."))
    with pytest.raises(Refused, match=r"already sent"):
        await commands.upload()


async def test_a_file_that_changes_meanwhile_is_not_mixed(commands: Commands) -> None:
    gate = asyncio.Event()
    commands.server.fail(" 3/4", gate)
    task = asyncio.ensure_future(commands.upload(parallel=1))
    await when(lambda: "3/4" in commands.server.ranges)
    commands.path.write_bytes(CONTENT.lower())
    gate.set()
    with pytest.raises(CannotGoOn, match="changed while"):
        await task
    assert commands.server.only.content is None


async def test_a_killed_upload_goes_on(commands: Commands) -> None:
    await commands.killed()
    assert set(commands.server.only.parts) == {1, 2}
    await commands.upload()
    assert commands.server.only.content == CONTENT
    assert sorted(commands.server.ranges) == ["3/4", "4/4"]
    assert commands.seen.notes == ["a.mp4: going on with vi0, 2 of 4 parts are there."]
    assert commands.seen.bytes[0] == 20
    assert commands.kept == []


async def test_the_parts_are_those_that_were_begun_with(commands: Commands) -> None:
    await commands.killed()
    await commands.upload(part_bytes=17)
    assert commands.server.only.content == CONTENT
    assert sorted(commands.server.ranges) == ["3/4", "4/4"]


async def test_what_the_server_says_is_true(commands: Commands) -> None:
    await commands.killed()
    del commands.server.only.parts[1]
    await commands.upload()
    assert commands.server.only.content == CONTENT
    assert sorted(commands.server.ranges) == ["1/4", "3/4", "4/4"]


async def test_a_complete_upload_is_not_repeated(commands: Commands) -> None:
    await commands.killed()
    commands.server.only.parts |= {3: CONTENT[20:30], 4: CONTENT[30:]}
    video = await commands.upload()
    assert video.video_id == commands.server.only.video_id
    assert commands.server.ranges == []
    assert commands.kept == []


async def test_killed_between_wish_and_video_makes_one_video(commands: Commands) -> None:
    commands.server.fail("POST /videos ", asyncio.Event(), stores=True)
    task = asyncio.ensure_future(commands.upload())
    await when(lambda: bool(commands.server.videos))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await commands.upload()
    assert commands.server.only.content == CONTENT


async def test_a_changed_file_begins_anew(commands: Commands) -> None:
    await commands.killed()
    commands.path.write_bytes(CONTENT[:34])
    await commands.upload()
    assert commands.seen.notes == [
        "a.mp4: changed since its upload was begun: starting anew.",
    ]
    assert [video.content for video in commands.server.videos.values()] == [None, CONTENT[:34]]
    assert commands.kept == []


async def test_a_video_that_is_gone_begins_anew(commands: Commands) -> None:
    await commands.killed()
    commands.server.videos.clear()
    await commands.upload()
    assert "does not know" in commands.seen.notes[-1]
    assert commands.server.only.content == CONTENT


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda video: video.parts.update({1: b"other", 2: b"", 3: b"", 4: b""}), "another"),
        (lambda video: setattr(video, "total", 9), "another"),
    ],
)
async def test_a_video_with_another_file_is_let_alone(
    commands: Commands, change: Callable[[Any], None], why: str
) -> None:
    await commands.killed()
    change(commands.server.only)
    await commands.upload()
    assert why in commands.seen.notes[0]
    assert list(commands.server.videos.values())[-1].content == CONTENT


async def test_nothing_is_resumed_against_the_users_will(commands: Commands) -> None:
    await commands.killed()
    await commands.upload(resume=False)
    assert [video.content for video in commands.server.videos.values()] == [None, CONTENT]


async def test_two_commands_do_not_send_the_same_file(commands: Commands) -> None:
    gate = asyncio.Event()
    commands.server.fail(" 1/4", gate)
    first = asyncio.ensure_future(commands.upload())
    await when(lambda: commands.server.under_way > 0)
    with pytest.raises(CannotGoOn, match="Another command") as caught:
        await commands.upload()
    assert caught.value.status is Exit.FAILED
    gate.set()
    await first
    assert commands.server.only.content == CONTENT


async def test_with_a_token_the_first_part_tells_the_video(commands: Commands) -> None:
    gate = asyncio.Event()
    commands.server.fail(" 1/4", gate)
    task = asyncio.ensure_future(commands.upload(token=TOKEN, title="Mine.mp4"))
    await when(lambda: commands.server.under_way > 0)
    assert commands.server.ranges == ["1/4"]
    gate.set()
    video = await task
    assert commands.server.only.content == CONTENT
    assert commands.server.most_under_way == 3
    assert (video.title, commands.server.only.title) == ("Mine.mp4", "Mine.mp4")


async def test_with_a_token_what_was_answered_is_remembered(commands: Commands) -> None:
    await commands.killed(token=TOKEN)
    await commands.upload(token=TOKEN)
    assert sorted(commands.server.ranges) == ["3/4", "4/4"]
    assert commands.server.only.content == CONTENT


async def test_with_a_token_a_part_whose_answer_was_lost_is_found_out(commands: Commands) -> None:
    commands.server.fail(" 3/4", BROKEN, stores=True)
    await commands.upload(token=TOKEN)
    assert commands.server.only.content == CONTENT
    assert commands.server.ranges.count("3/4") == 2


async def test_with_a_token_a_video_that_is_gone_begins_anew(commands: Commands) -> None:
    await commands.killed(token=TOKEN)
    commands.server.videos.clear()
    await commands.upload(token=TOKEN)
    assert commands.server.only.content == CONTENT


async def test_another_title_is_another_video(commands: Commands) -> None:
    commands.server.fail("POST /videos ", problem(400, "x", "No."), stores=True)
    with pytest.raises(Refused):
        await commands.upload(title="One")
    await commands.upload(title="Two")
    assert list(commands.server.videos.values())[-1].title == "Two"
