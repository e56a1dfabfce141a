"""Captions that are made of what is said, by the operator's program."""

from pathlib import Path

import httpx
import pytest

from telecine.jobs.worker import PermanentFailure
from tests.fixtures.application import ProjectKeys
from tests.fixtures.media import barcode_mp4
from tests.integration.domains.words.talking import Talks, command

pytestmark = pytest.mark.anyio

SECONDS = 5


@pytest.fixture(scope="session")
def mute_clip() -> Path:
    return barcode_mp4(frames=30, audio=False)


async def transcribed(talks: Talks, file: Path, **members: object) -> str:
    video_id = await talks.create(transcript=True, **members)
    await talks.send(video_id, file)
    await talks.work()
    return video_id


async def test_captions_come_with_their_event(talks: Talks, barcode_clip: Path) -> None:
    video_id = await talks.create(transcript=True)
    assert await talks.work() == 0  # there is nothing to hear yet
    await talks.send(video_id, barcode_clip)
    assert await talks.work() == 1
    assert await talks.languages(video_id) == ["en"]
    video = await talks.video(video_id)
    assert (video["language"], video["languageOrigin"]) == ("en", "auto")
    (event,) = await talks.events(video_id)
    assert list(event) == [
        *("type", "emittedAt", "videoId", "captionId", "generationMode", "language")
    ]
    assert event["type"] == "video.caption.generated"
    assert event["captionId"].startswith("caption_")
    assert len(event["captionId"]) == len("caption_") + 22
    assert (event["videoId"], event["generationMode"]) == (video_id, "transcript")
    assert event["language"] == "en"
    step = await talks.step(video_id, "transcript")
    assert (step["state"], step["attempts"], step["detail"]["language"]) == ("done", 3, "en")
    told = (await talks.told(video_id))["transcript"]
    assert told == {"state": "completed", "failure": None, "reason": None}


async def test_the_program_hears_the_whole_video_in_mono(talks: Talks, barcode_clip: Path) -> None:
    video_id = await transcribed(talks, barcode_clip, language="fr")
    facts = (await talks.vtt(video_id, "fr")).strip().split("\n")[-1]
    channels, rate_hz, bits, size, language = facts.split()
    assert (channels, rate_hz, bits, language) == ("1", "16000", "16", "fr")
    assert int(size) == pytest.approx(SECONDS * 32_000, abs=3_200)
    video = await talks.video(video_id)
    assert (video["language"], video["languageOrigin"]) == ("fr", "api")
    (event,) = await talks.events(video_id)
    assert event["language"] == "fr"


async def test_only_what_is_shown_of_a_file_is_heard(talks: Talks, barcode_clip: Path) -> None:
    clip = {"startTimecode": "00:00:01", "endTimecode": "00:00:03"}
    video_id = await transcribed(talks, barcode_clip, clip=clip)
    size = int((await talks.vtt(video_id, "en")).strip().split("\n")[-1].split()[3])
    assert size == pytest.approx(2 * 32_000, abs=3_200)


async def test_a_program_may_read_and_write_files(talks: Talks, barcode_clip: Path) -> None:
    files = command("transcribe", "{language}", "{input}", "{output}.vtt")
    video_id = await transcribed(talks.with_commands(transcript=files), barcode_clip)
    assert await talks.languages(video_id) == ["en"]
    assert [each.name for each in talks.commands.folder.iterdir()] == ["lock"]


async def test_a_video_that_is_there_can_be_transcribed_later(
    talks: Talks, barcode_clip: Path
) -> None:
    video_id = await talks.create()
    await talks.send(video_id, barcode_clip)
    assert await talks.work() == 0
    await talks.change(video_id, transcript=True)
    await talks.change(video_id, transcript=True)  # it is under way
    assert await talks.work() == 1
    await talks.change(video_id, transcript=True)  # it is there
    assert await talks.work() == 0
    assert await talks.languages(video_id) == ["en"]


async def test_another_language_is_another_transcript(talks: Talks, barcode_clip: Path) -> None:
    video_id = await transcribed(talks, barcode_clip, language="en")
    await talks.change(video_id, title="The language stays")
    assert await talks.work() == 0
    await talks.change(video_id, language="de")
    assert await talks.work() == 1
    assert await talks.languages(video_id) == ["de", "en"]
    assert [event["language"] for event in await talks.events(video_id)] == ["en", "de"]
    await talks.change(video_id, language=None)
    assert await talks.work() == 0


async def test_a_language_alone_asks_for_a_transcript_where_they_are_made(
    talks: Talks, barcode_clip: Path
) -> None:
    named = await talks.create(language="fr")
    unwanted = await talks.create(language="fr", transcript=False)
    for video_id in (named, unwanted):
        await talks.send(video_id, barcode_clip)
    assert await talks.work() == 1
    assert await talks.languages(named) == ["fr"]
    assert await talks.languages(unwanted) == []


async def test_what_an_earlier_request_finds_is_dropped(talks: Talks, barcode_clip: Path) -> None:
    video_id = await talks.create(transcript=True, language="en")
    await talks.send(video_id, barcode_clip)
    (early,) = await talks.waiting("transcript")
    await talks.change(video_id, language="de")
    (late,) = await talks.waiting("transcript")
    await talks.give_up(early, "command-failed: too late")
    await talks.run(late)
    await talks.run(early)
    await talks.run(late)  # as the job of a worker that was taken for dead
    assert await talks.languages(video_id) == ["de"]
    assert len(await talks.texts(video_id)) == len(await talks.events(video_id)) == 1


async def test_captions_of_the_customer_are_kept(talks: Talks, barcode_clip: Path) -> None:
    known = await talks.create(transcript=True, language="en")
    heard = await talks.create(transcript=True)
    for video_id in (known, heard):
        await talks.caption(video_id, "en", "mine")
        await talks.send(video_id, barcode_clip)
    await talks.work()
    for video_id in (known, heard):
        assert "mine" in await talks.vtt(video_id, "en")
        assert len(await talks.texts(video_id)) == 1
        assert await talks.events(video_id) == []
        assert (await talks.told(video_id))["transcript"]["state"] == "completed"


async def test_those_that_were_made_can_be_replaced_and_deleted(
    talks: Talks, barcode_clip: Path
) -> None:
    video_id = await transcribed(talks, barcode_clip)
    path = f"/videos/{video_id}/captions/en"
    assert (await talks.client.delete(path)).status_code == 204
    await talks.change(video_id, transcript=True)  # made again, since they are wanted again
    assert await talks.work() == 1
    assert await talks.languages(video_id) == ["en"]
    await talks.caption(video_id, "en", "better")
    await talks.change(video_id, transcript=True, language="en")
    await talks.work()
    assert "better" in await talks.vtt(video_id, "en")


async def test_where_there_is_no_sound_there_is_nothing_to_write(
    talks: Talks, mute_clip: Path
) -> None:
    video_id = await transcribed(talks, mute_clip)
    assert await talks.languages(video_id) == []
    told = (await talks.told(video_id))["transcript"]
    assert told == {
        "state": "unprocessable",
        "failure": "no-sound",
        "reason": "There is no sound in the video.",
    }
    assert (await talks.step(video_id, "transcript"))["state"] == "done"


async def test_where_nobody_speaks_there_are_no_captions(talks: Talks, barcode_clip: Path) -> None:
    silent = talks.with_commands(transcript=command("say", "WEBVTT\\nLanguage: en\\n"))
    video_id = await transcribed(silent, barcode_clip)
    assert (await talks.told(video_id))["transcript"]["failure"] == "no-speech"
    assert await talks.languages(video_id) == []


async def test_without_a_program_the_reason_is_told(talks: Talks, barcode_clip: Path) -> None:
    video_id = await transcribed(talks.with_commands(transcript=None), barcode_clip)
    told = (await talks.told(video_id))["transcript"]
    assert (told["state"], told["failure"].partition(":")[0]) == ("failed", "no-command")
    step = await talks.step(video_id, "transcript")
    assert (step["state"], step["reason"]) == (
        "failed",
        "No program that does this is configured here.",
    )
    assert '{"transcript": true}' in step["next"]
    await talks.change(video_id, transcript=True)  # it is by now
    await talks.work()
    assert await talks.languages(video_id) == ["en"]


async def test_a_program_that_fails_is_tried_again_and_heard(
    talks: Talks, barcode_clip: Path
) -> None:
    broken = talks.with_commands(transcript=command("fail"))
    video_id = await broken.create(transcript=True)
    await broken.send(video_id, barcode_clip)
    assert await broken.work() == 3
    told = (await talks.told(video_id))["transcript"]
    assert (told["state"], told["failure"]) == (
        "failed",
        "command-failed: its exit status was 3",
    )
    step = await talks.step(video_id, "transcript")
    assert (step["state"], step["attempt"]) == ("failed", 3)
    assert step["log"] == ["loading the model", "the model is broken"]
    assert "exit status was 3" in step["detail"]["reason"]
    assert await talks.events(video_id) == []


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("no captions", "It does not begin with WEBVTT."),
        ("WEBVTT\\n\\n0:01 --> 0:02\\nx\\n", "The times of its cues"),
        ("WEBVTT\\n\\n00:01.000 --> 00:02.000\\nx\\n", "do not tell the language"),
        ("WEBVTT\\nLanguage: tlh\\n\\n00:01.000 --> 00:02.000\\nx\\n", "no transcripts in 'tlh'"),
        ("", "it wrote nothing"),
    ],
)
async def test_what_is_no_transcript_is_refused(
    talks: Talks, barcode_clip: Path, said: str, complaint: str
) -> None:
    odd = talks.with_commands(transcript=command("say", said))
    video_id = await odd.create(transcript=True)
    await odd.send(video_id, barcode_clip)
    assert await odd.work() == 1  # it would say the same again
    step = await talks.step(video_id, "transcript")
    assert step["state"] == "failed"
    assert step["detail"]["reason"].startswith("command-output: ")
    assert complaint in step["detail"]["reason"]
    assert await talks.languages(video_id) == []
    assert await talks.texts(video_id) == []


async def test_a_region_is_left_out_of_the_language(talks: Talks, barcode_clip: Path) -> None:
    said = "WEBVTT\\nLanguage: pt-BR\\n\\n00:01.000 --> 00:02.000\\nOlá\\n"
    video_id = await transcribed(talks.with_commands(transcript=command("say", said)), barcode_clip)
    assert await talks.languages(video_id) == ["pt"]


async def test_a_video_may_go_meanwhile(talks: Talks, barcode_clip: Path) -> None:
    video_id = await talks.create(transcript=True)
    await talks.send(video_id, barcode_clip)
    (job,) = await talks.waiting("transcript")
    assert (await talks.client.delete(f"/videos/{video_id}")).status_code == 204
    await talks.run(job)
    assert await talks.texts(video_id) == []
    assert await talks.events(video_id) == []


async def test_a_video_that_comes_back_is_transcribed_then(
    talks: Talks, project: ProjectKeys, barcode_clip: Path
) -> None:
    settings = f"/_/projects/{project.public_id}/settings"
    reply = await talks.operator.patch(settings, json={"videoRestore": True})
    assert reply.status_code == 200, reply.text
    video_id = await talks.create(transcript=True, transcriptSummary=True)
    await talks.send(video_id, barcode_clip)
    (early,) = await talks.waiting("transcript")
    assert (await talks.client.delete(f"/videos/{video_id}")).status_code == 204
    await talks.run(early)
    assert await talks.work() == 1  # a summary that nobody sees
    assert await talks.texts(video_id) == []
    body = {"discarded": False}
    reply = await talks.client.patch(f"/discarded/videos/{video_id}", json=body)
    assert reply.status_code == 200, reply.text
    await talks.work()
    assert await talks.languages(video_id) == ["en"]
    assert (await talks.summary(video_id))["sourceStatus"] == "completed"


async def test_a_file_that_cannot_be_read_is_not_waited_for(talks: Talks, tmp_path: Path) -> None:
    video_id = await talks.create(transcript=True)
    nothing = tmp_path / "nothing.mp4"
    nothing.write_bytes(b"nothing at all " * 100)
    await talks.send(video_id, nothing)
    assert await talks.work() == 0
    told = (await talks.told(video_id))["transcript"]
    assert told["state"] == "unprocessable"
    await talks.change(video_id, transcript=True)
    assert (await talks.told(video_id))["transcript"]["state"] == "unprocessable"


async def test_others_cannot_ask_for_it(
    talks: Talks, stranger: httpx.AsyncClient, barcode_clip: Path
) -> None:
    video_id = await talks.create()
    await talks.send(video_id, barcode_clip)
    reply = await stranger.patch(f"/videos/{video_id}", json={"transcript": True})
    assert reply.status_code == 404
    assert await talks.work() == 0
    assert (await talks.told(video_id))["transcript"] is None


async def test_a_slow_program_is_stopped_once(talks: Talks, barcode_clip: Path) -> None:
    slow = talks.with_commands(
        transcript=command("hang", str(talks.commands.folder / "note"), limit_s=0.5)
    )
    video_id = await slow.create(transcript=True)
    await slow.send(video_id, barcode_clip)
    (job,) = await slow.waiting("transcript")
    with pytest.raises(PermanentFailure, match="command-slow"):
        await slow.run(job)
