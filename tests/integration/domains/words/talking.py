"""Videos with words, and a worker that finds them with the program of the tests."""

import shlex
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select, text

from telecine.db.engine import Database
from telecine.domains.captions import handlers as captions
from telecine.domains.encodings.handlers import Bench
from telecine.domains.encodings.handlers import record_giving_up as record_step
from telecine.domains.encodings.handlers.probe import probe_asset
from telecine.domains.encodings.jobs import ProbeAsset
from telecine.domains.summaries import handlers as summaries
from telecine.domains.webhooks.models import Event
from telecine.domains.words.commands import Command, Commands
from telecine.domains.words.jobs import MakeSummary, MakeTranscript
from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner, RunnerError
from telecine.http.services import Services
from telecine.jobs.job import Job
from telecine.jobs.worker import PermanentFailure
from telecine.pipeline.probe import Prober
from telecine.storage.spool import Spool

PROGRAM = Path(__file__).parents[3] / "fixtures" / "program.py"
KINDS: dict[str, type[Job]] = {
    kind.task_name(): kind for kind in (MakeTranscript, MakeSummary, ProbeAsset)
}
OURS = ("video.caption.generated", "video.summary.generated")

Json = dict[str, Any]


def line(*words: str) -> str:
    """Return the command line of the program of the tests."""
    return shlex.join([sys.executable, str(PROGRAM), *words])


def command(*words: str, limit_s: float = 240.0) -> Command:
    """Return it as a setting becomes one."""
    found = Command.of(line(*words), limit_s)
    assert found is not None
    return found


TRANSCRIBE = command("transcribe", "{language}")
SUM_UP = command("sum_up", "{language}")


@dataclass(frozen=True)
class Talks:
    """A customer, an operator and a worker."""

    client: httpx.AsyncClient
    operator: httpx.AsyncClient
    bench: Bench
    commands: Commands

    @property
    def db(self) -> Database:
        return self.bench.db

    def with_commands(
        self, transcript: Command | None = TRANSCRIBE, summary: Command | None = SUM_UP
    ) -> "Talks":
        commands = replace(self.commands, transcript=transcript, summary=summary)
        return replace(self, commands=commands)

    async def create(self, **members: Any) -> str:
        reply = await self.client.post("/videos", json={"title": "t", **members})
        assert reply.status_code == 201, reply.text
        return str(reply.json()["videoId"])

    async def change(self, video_id: str, **members: Any) -> Json:
        reply = await self.client.patch(f"/videos/{video_id}", json=members)
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    async def send(self, video_id: str, clip: Path) -> None:
        """Upload a file, and have it probed; nothing of it is encoded."""
        with clip.open("rb") as file:
            reply = await self.client.post(f"/videos/{video_id}/source", files={"file": file})
        assert reply.status_code == 201, reply.text
        for job in await self.waiting("probe"):
            assert isinstance(job, ProbeAsset)
            try:
                await probe_asset(self.bench, job)
            except PermanentFailure as error:
                await record_step(self.bench, job, str(error))

    async def caption(self, video_id: str, language: str, words: str) -> None:
        """Upload captions."""
        data = f"WEBVTT\n\n00:00.000 --> 00:01.000\n{words}\n".encode()
        reply = await self.client.post(
            f"/videos/{video_id}/captions/{language}", files={"file": data}
        )
        assert reply.status_code == 200, reply.text

    async def waiting(self, *lanes: str) -> list[Job]:
        """Return the jobs that workers would do now, and take them out of the queue."""
        async with self.db.transaction() as tx:
            rows = await tx.execute(
                text(
                    "DELETE FROM procrastinate_jobs"
                    " WHERE queue_name = ANY (:lanes) AND task_name = ANY (:known)"
                    " RETURNING id, task_name, args"
                ),
                {"lanes": list(lanes), "known": list(KINDS)},
            )
            found = sorted(rows.all(), key=lambda row: row[0])
        return [KINDS[name].from_args(args) for _, name, args in found]

    async def work(self) -> int:
        """Do all jobs until none is left, as a worker does; return how many attempts."""
        done = 0
        while jobs := await self.waiting("transcript", "summary"):
            for job in jobs:
                done += await self.tried(job)
        return done

    async def tried(self, job: Job) -> int:
        """Do a job as often as it may be; return how often it was."""
        for attempt in range(1, job.attempts + 1):
            try:
                await self.run(job)
            except PermanentFailure as error:
                await self.give_up(job, str(error))
            except (RunnerError, OSError) as error:
                if attempt == job.attempts:
                    await self.give_up(job, f"{type(error).__name__}: {error}")
                continue
            break
        return attempt

    async def run(self, job: Job) -> None:
        bound = {
            **captions.bind(self.bench, self.commands),
            **summaries.bind(self.bench, self.commands),
        }
        await bound[type(job)](job)

    async def give_up(self, job: Job, reason: str) -> None:
        await record_step(self.bench, job, reason)
        await captions.record_giving_up(self.bench, job, reason)
        await summaries.record_giving_up(self.bench, job, reason)

    async def video(self, video_id: str) -> Json:
        return dict((await self.client.get(f"/videos/{video_id}")).json())

    async def languages(self, video_id: str) -> list[str]:
        """Return the languages in which there are captions."""
        reply = await self.client.get(f"/videos/{video_id}/captions")
        return [each["srclang"] for each in reply.json()["data"]]

    async def vtt(self, video_id: str, language: str) -> str:
        async with self.db.transaction() as tx:
            key = await tx.scalar(
                text(
                    "SELECT c.key FROM caption c JOIN video v ON v.id = c.video_id"
                    " WHERE v.public_id = :video AND c.language = :language"
                ),
                {"video": video_id, "language": language},
            )
        return (await self.bench.store.read(str(key))).decode()

    async def texts(self, video_id: str) -> list[str]:
        """Return the names of all text tracks in the store."""
        async with self.db.transaction() as tx:
            prefix = await tx.scalar(
                text("SELECT project_id || '/' || public_id FROM video WHERE public_id = :id"),
                {"id": video_id},
            )
        return [entry.key async for entry in self.bench.store.list(f"{prefix}/text/")]

    async def summary(self, video_id: str) -> Json:
        reply = await self.client.get("/summaries", params={"videoId": video_id})
        (found,) = reply.json()["data"]
        return dict(found)

    async def words(self, video_id: str) -> Json:
        """Return the text of a summary."""
        summary_id = (await self.summary(video_id))["summaryId"]
        return dict((await self.client.get(f"/summaries/{summary_id}/source")).json())

    async def told(self, video_id: str) -> Json:
        """Return what the operator sees of a video."""
        reply = await self.operator.get(f"/_/videos/{video_id}/jobs")
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    async def step(self, video_id: str, name: str) -> Json:
        steps = (await self.told(video_id))["steps"]
        (found,) = [step for step in steps if step["name"] == name]
        return dict(found)

    async def events(self, video_id: str) -> Sequence[Json]:
        """Return the payloads of what was announced of words, oldest first."""
        async with self.db.transaction() as tx:
            rows = select(Event.payload).where(Event.media_id == video_id, Event.type.in_(OURS))
            return (await tx.scalars(rows.order_by(Event.xid, Event.id))).all()


@asynccontextmanager
async def talking(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, services: Services, folder: Path
) -> AsyncIterator[Talks]:
    """Set a worker up beside an application."""
    runner = Runner(find_ffmpeg(None), "required")
    prober = Prober(runner)
    bench = Bench(services.db, services.store, runner, prober, Spool(folder / "spool"))
    commands = Commands(folder / "commands", transcript=TRANSCRIBE, summary=SUM_UP)
    yield Talks(client, operator, bench, commands)
    await prober.close()
