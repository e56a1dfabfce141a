"""Summaries that are made of captions, by the operator's program."""

import json
from pathlib import Path

import httpx
import pytest

from tests.fixtures.media import barcode_mp4
from tests.fixtures.program import SPOKEN
from tests.integration.domains.words.talking import Talks, command

pytestmark = pytest.mark.anyio

MADE = {"abstract": SPOKEN.split("\n")[0], "takeaways": ["One.", "In en.", "6 lines."]}


async def ask(talks: Talks, video_id: str, **members: object) -> str:
    body = {"videoId": video_id, "origin": "auto", **members}
    reply = await talks.client.post("/summaries", json=body)
    assert reply.status_code == 201, reply.text
    assert (reply.json()["origin"], reply.json()["sourceStatus"]) == ("auto", "waiting")
    return str(reply.json()["summaryId"])


async def status(talks: Talks, video_id: str) -> str:
    return str((await talks.summary(video_id))["sourceStatus"])


async def test_it_follows_the_transcript(talks: Talks, barcode_clip: Path) -> None:
    video_id = await talks.create(transcript=True, transcriptSummary=True)
    assert await status(talks, video_id) == "waiting"
    assert await talks.words(video_id) == {"abstract": "", "takeaways": []}
    await talks.send(video_id, barcode_clip)
    await talks.work()
    assert await status(talks, video_id) == "completed"
    assert await talks.words(video_id) == MADE
    captions, summary = await talks.events(video_id)
    assert captions["type"] == "video.caption.generated"
    assert list(summary) == ["type", "emittedAt", "videoId", "summaryId"]
    assert summary["type"] == "video.summary.generated"
    assert summary["videoId"] == video_id
    assert summary["summaryId"] == (await talks.summary(video_id))["summaryId"]
    step = await talks.step(video_id, "summary")
    assert (step["state"], step["detail"]["language"]) == ("done", "en")


async def test_one_alone_has_the_video_transcribed(talks: Talks, barcode_clip: Path) -> None:
    video_id = await talks.create()
    await talks.send(video_id, barcode_clip)
    await ask(talks, video_id)
    await talks.work()
    assert await talks.languages(video_id) == ["en"]
    assert await talks.words(video_id) == MADE


async def test_only_what_was_asked_for_is_kept(talks: Talks, barcode_clip: Path) -> None:
    one = await talks.create(transcriptSummary=True, transcriptSummaryAttributes=["takeaways"])
    other = await talks.create()
    await ask(talks, other, attributes=["abstract"])
    for video_id in (one, other):
        await talks.send(video_id, barcode_clip)
    await talks.work()
    assert await talks.words(one) == {"abstract": "", "takeaways": MADE["takeaways"]}
    assert await talks.words(other) == {"abstract": MADE["abstract"], "takeaways": []}


async def test_captions_of_the_customer_are_words_enough(talks: Talks, barcode_clip: Path) -> None:
    alone = talks.with_commands(transcript=None)
    video_id = await alone.create(language="de", transcript=False)
    await alone.caption(video_id, "en", "English")
    await alone.caption(video_id, "de", f"<v A>Deutsch</v> &amp; mehr {SPOKEN}")
    await alone.send(video_id, barcode_clip)
    await alone.change(video_id, transcriptSummary=True)
    await alone.work()
    words = await alone.words(video_id)
    assert words["abstract"].startswith("Deutsch & mehr first one two")
    assert words["takeaways"][1] == "In de."
    assert sorted(await alone.languages(video_id)) == ["de", "en"]


async def test_a_video_has_one_however_it_is_asked_for(talks: Talks) -> None:
    video_id = await talks.create(transcriptSummary=True)
    reply = await talks.client.patch(f"/videos/{video_id}", json={"transcriptSummary": True})
    assert (reply.status_code, reply.json()["name"]) == (409, "transcriptSummary")
    assert reply.json()["type"].endswith("/summary-already-exists")
    reply = await talks.client.post("/summaries", json={"videoId": video_id})
    assert (reply.status_code, reply.json()["name"]) == (409, "videoId")


async def test_words_cannot_be_written_while_they_are_made(
    talks: Talks, barcode_clip: Path
) -> None:
    video_id = await talks.create()
    path = f"/summaries/{await ask(talks, video_id)}/source"
    reply = await talks.client.patch(path, json={"abstract": "Mine."})
    assert reply.status_code == 409
    assert reply.json() == {
        "type": "https://docs.api.video/reference/summary-already-exists",
        "title": "A summary already exists or is being created on this video.",
        "status": 409,
        "detail": "You can delete the existing summary and generate a new one.",
    }
    await talks.send(video_id, barcode_clip)
    await talks.work()
    reply = await talks.client.patch(path, json={"abstract": "Mine."})
    assert (reply.status_code, reply.json()["abstract"]) == (201, "Mine.")


async def test_what_was_deleted_meanwhile_is_not_written(talks: Talks, barcode_clip: Path) -> None:
    video_id = await talks.create(transcript=True)
    await talks.send(video_id, barcode_clip)
    await talks.work()
    first = await ask(talks, video_id)
    (early,) = await talks.waiting("summary")
    assert (await talks.client.delete(f"/summaries/{first}")).status_code == 204
    await ask(talks, video_id)
    await talks.run(early)
    assert await status(talks, video_id) == "waiting"
    await talks.work()
    assert await status(talks, video_id) == "completed"
    assert len(await talks.events(video_id)) == 2


async def test_without_sound_or_words_there_is_nothing_to_sum_up(
    talks: Talks, barcode_clip: Path
) -> None:
    mute = await talks.create(transcriptSummary=True)
    await talks.send(mute, barcode_mp4(frames=30, audio=False))
    terse = await talks.create(transcriptSummary=True)
    await talks.caption(terse, "en", "few words")
    await talks.send(terse, barcode_clip)
    await talks.work()
    for video_id, failure in ((mute, "no-sound"), (terse, "few-words")):
        assert await status(talks, video_id) == "unprocessable"
        assert (await talks.told(video_id))["summary"]["failure"] == failure
        assert await talks.events(video_id) == []


async def test_without_a_transcript_there_is_no_summary(talks: Talks, barcode_clip: Path) -> None:
    broken = talks.with_commands(transcript=command("fail"))
    video_id = await broken.create(transcriptSummary=True)
    await broken.send(video_id, barcode_clip)
    await broken.work()
    assert await status(talks, video_id) == "failed"
    told = (await talks.told(video_id))["summary"]
    assert told["failure"] == "transcript: command-failed: its exit status was 3"
    assert told["reason"] == "There is no transcript, because that failed."


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ("no json", "it is no JSON"),
        ("[]", "it is no JSON object"),
        (json.dumps({"abstract": "a"}), "`takeaways` is no list"),
        (json.dumps({"abstract": "a", "takeaways": ["1", "2", "3", "4"]}), "`takeaways`"),
        (json.dumps({"abstract": "a", "takeaways": ["1", 2]}), "`takeaways` is no text"),
        (json.dumps({"abstract": " ", "takeaways": ["1"]}), "`abstract` is no text"),
        (json.dumps({"abstract": "a\0", "takeaways": ["1"]}), "`abstract` is no text"),
        (json.dumps({"abstract": "\ud800", "takeaways": ["1"]}), "half a character"),
    ],
)
async def test_what_is_no_summary_is_refused(
    talks: Talks, barcode_clip: Path, answer: str, complaint: str
) -> None:
    odd = talks.with_commands(summary=command("say", answer))
    video_id = await odd.create(transcriptSummary=True)
    await odd.caption(video_id, "en", SPOKEN)
    await odd.send(video_id, barcode_clip)
    assert await odd.work() == 3  # such programs may say something else the next time
    assert await status(talks, video_id) == "failed"
    step = await talks.step(video_id, "summary")
    assert (step["state"], step["attempt"]) == ("failed", 3)
    assert complaint in step["detail"]["reason"]
    assert await talks.events(video_id) == []
    assert await talks.words(video_id) == {"abstract": "", "takeaways": []}


async def test_others_see_nothing_of_it(
    talks: Talks, stranger: httpx.AsyncClient, barcode_clip: Path
) -> None:
    video_id = await talks.create(transcriptSummary=True)
    await talks.send(video_id, barcode_clip)
    await talks.work()
    summary_id = (await talks.summary(video_id))["summaryId"]
    assert (await stranger.get("/summaries")).json()["data"] == []
    assert (await stranger.get(f"/summaries/{summary_id}/source")).status_code == 404
    reply = await stranger.post("/summaries", json={"videoId": video_id, "origin": "auto"})
    assert reply.status_code == 404
