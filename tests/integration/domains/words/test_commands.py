"""The operator's programs, as processes."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from telecine.domains.words import commands
from telecine.domains.words.commands import Command, CommandError
from telecine.domains.words.workplace import workplace
from telecine.formats import webvtt
from tests.architecture.sources import ROOT
from tests.fixtures.waiting import until
from tests.integration.domains.words.talking import command

pytestmark = pytest.mark.anyio


async def run(asked: Command, folder: Path, most_bytes: int = 1 << 20) -> bytes:
    read = folder / "read.txt"
    read.write_bytes(b"first line\nsecond line\n")
    return await commands.run(asked, folder, read, "json", "en", most_bytes)


async def test_it_reads_and_writes_by_its_standard_streams(tmp_path: Path) -> None:
    told = json.loads(await run(command("sum_up", "{language}"), tmp_path))
    assert told["abstract"] == "first line"
    assert told["takeaways"] == ["One.", "In en.", "2 lines."]


async def test_it_knows_no_secret_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TELECINE_SECRET_KEY", "DATABASE_URL", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("MODEL_KEY", "theirs")
    told = json.loads(await run(command("tell"), tmp_path))
    assert "secret" not in told["environment"].values()
    assert told["environment"]["MODEL_KEY"] == "theirs"
    assert Path(told["folder"]) == tmp_path.resolve()


@pytest.mark.parametrize(
    ("asked", "reason", "detail"),
    [
        (command("fail"), "command-failed", "its exit status was 3"),
        (Command(("/nowhere/program",), 60), "command-failed", "its exit status was 127"),
        (command("say", ""), "command-output", "it wrote nothing"),
        (command("flood"), "command-output", "it wrote more than 1048576 bytes"),
        (command("say", "x", "{output}"), "command-failed", "its exit status was 1"),
        (Command(("true", "{output}"), 60), "command-output", "there is no output.json"),
    ],
)
async def test_what_goes_wrong_is_told(
    tmp_path: Path, asked: Command, reason: str, detail: str
) -> None:
    with pytest.raises(CommandError) as failed:
        await run(asked, tmp_path)
    assert failed.value.reason == reason
    assert detail in failed.value.detail


async def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    asked = Command(("cp", "{input}", "{output}.json"), 60)
    assert await run(asked, tmp_path, most_bytes=23) == b"first line\nsecond line\n"
    with pytest.raises(CommandError, match="more than 22 bytes"):
        await run(asked, tmp_path, most_bytes=22)


async def processes(note: Path) -> list[int]:
    async def told() -> bool:
        return note.exists()

    await until(told)
    return [int(each) for each in note.read_text().split()]


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def all_dead(pids: list[int]) -> None:
    async def dead() -> bool:
        return not any(map(alive, pids))

    await until(dead)


async def test_whoever_is_cancelled_leaves_no_process_behind(tmp_path: Path) -> None:
    note = tmp_path / "note"
    task = asyncio.create_task(run(command("hang", str(note)), tmp_path))
    pids = await processes(note)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await all_dead(pids)


async def test_a_slow_one_is_ended(tmp_path: Path) -> None:
    note = tmp_path / "note"
    with pytest.raises(CommandError, match="command-slow"):
        await run(command("hang", str(note), limit_s=0.2), tmp_path)
    if note.exists():  # it came so far
        await all_dead(await processes(note))


async def test_none_goes_on_without_the_worker(tmp_path: Path) -> None:
    note = tmp_path / "note"
    words = [*command("hang", str(note)).words]
    script = (
        "import os, signal, subprocess, sys\n"
        "leash, folder, *words = sys.argv[1:]\n"
        "program = [sys.executable, '-I', '-S', leash, str(os.getpid()), folder, *words]\n"
        "subprocess.Popen(program)\n"
        "signal.pause()\n"
    )
    argv = [sys.executable, "-c", script, str(commands.LEASH), str(tmp_path), *words]
    worker = await asyncio.create_subprocess_exec(*argv)
    program, child = await processes(note)
    worker.kill()
    await worker.wait()
    await all_dead([program])
    os.kill(child, signal.SIGKILL)  # of the program alone the kernel knows whose it is


@pytest.mark.parametrize(("language", "heard"), [("auto", "fr"), ("de", "de")])
async def test_the_wrapper_in_the_docs_tells_what_was_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str, heard: str
) -> None:
    """With something in place of whisper.cpp that writes what that writes."""
    page = (ROOT / "docs" / "reference" / "transcripts.md").read_text()
    wrapper, recogniser = tmp_path / "transcribe.sh", tmp_path / "whisper-cli"
    wrapper.write_text("#!/bin/sh" + page.partition("#!/bin/sh")[2].partition("```")[0])
    recogniser.write_text(
        "#!/bin/sh\n"
        'test "$4" = auto && echo "whisper: auto-detected language: fr (p = 0.97)" >&2\n'
        'printf "WEBVTT\\n\\n00:00:00.000 --> 00:00:01.000\\n Words\\n" > "$7.vtt"\n'
    )
    wrapper.chmod(0o755)
    recogniser.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    command = Command((str(wrapper), "{input}", "{language}", "{output}"), 60)
    written = await commands.run(command, tmp_path, tmp_path / "sound", "vtt", language, 1000)
    assert webvtt.stated_language(written) == heard
    assert [cue.text for cue in webvtt.parse(written).cues] == [" Words"]


def test_a_place_is_gone_with_its_user(tmp_path: Path) -> None:
    with workplace(tmp_path, 100, 0) as place:
        (place / "sound.wav").write_bytes(b"x" * 100)
    assert [each.name for each in tmp_path.iterdir()] == ["lock"]


def test_what_a_killed_process_left_goes_and_what_is_used_stays(tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.mkdir()
    (left / "sound.wav").write_bytes(b"x")
    (tmp_path / "note").write_bytes(b"of somebody else")
    with workplace(tmp_path, 0, 0) as used, workplace(tmp_path, 0, 0) as other:
        assert not left.exists()
        assert used.exists()
        assert other.exists()


def test_without_room_there_is_no_place(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="reserve"), workplace(tmp_path, 1 << 60, 0):
        pass
    assert [each.name for each in tmp_path.iterdir()] == ["lock"]
