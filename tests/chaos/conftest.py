"""One Telecine that is killed again and again, and starts anew on the same folder."""

import contextlib
import os
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from telecine.db.embedded import running_url
from telecine.processes.restarts import DEATHS
from tests.chaos import killing
from tests.fixtures.customer import Customer
from tests.fixtures.server import TelecineProcess, telecine

SETTINGS = {"TELECINE_API_PROCESSES": "2", "TELECINE_ENCODE_SLOTS": "1"}


class Victim:
    """A Telecine of one's own, whose parts die."""

    def __init__(self, data: Path, settings: Mapping[str, str] | None = None) -> None:
        self.data = data
        self._settings = {**SETTINGS, **(settings or {})}
        self._keys: dict[str, str] = {}
        self.start()

    def start(self) -> None:
        """Start, also on what a killed Telecine left; keys stay what they were."""
        self._api_deaths = 0
        self._process = TelecineProcess(self.data, {**self._settings, **self._keys})
        started = self._process.wait_until_ready()
        self._keys = {
            "TELECINE_API_KEY": self._process.environment["TELECINE_API_KEY"],
            "TELECINE_OPERATOR_KEY": self._process.environment["TELECINE_OPERATOR_KEY"],
        }
        self.server = replace(
            started,
            production_key=self._keys["TELECINE_API_KEY"],
            operator_key=self._keys["TELECINE_OPERATOR_KEY"],
        )
        self.customer = Customer(self.server)

    def stop(self) -> None:
        self.customer.http.close()
        self._process.stop()

    @property
    def supervisor(self) -> int:
        return self._process.process.pid

    @property
    def log(self) -> str:
        return self._process.log.read_text(errors="replace")

    def kill_everything(self) -> None:
        """Cut the power: nothing is started again, nobody can answer that a part is missing."""
        killing.kill_family(self.supervisor)
        self._process.process.wait()
        self.stop()

    def kill_api(self) -> None:
        """Kill what answers requests."""
        self._api_deaths += 1
        pids = killing.descendants(self.supervisor)
        killing.kill(*(pid for pid in pids if killing.is_api(pid)))

    def spare(self) -> None:
        """Start anew in time: a supervisor gives up when a child dies too often in a minute."""
        if self._api_deaths >= DEATHS - 2:
            self.stop()
            self.start()

    def revive(self) -> None:
        """Start anew what gave up, as a service manager does."""
        if self._process.process.poll() is not None:
            assert "times within" in self.log, self.log[-4000:]
            self.stop()
            self.start()

    @contextlib.contextmanager
    def locked(self, video_id: str) -> Iterator[None]:
        """Hold back whoever wants to change a video."""
        url = running_url(self.data)
        assert url is not None
        with psycopg.connect(url) as connection:
            connection.execute("SELECT id FROM video WHERE public_id = %s FOR UPDATE", [video_id])
            yield

    def claims(self, video_id: str) -> int:
        """Count the parts of a video's source that are on their way or stored."""
        url = running_url(self.data)
        assert url is not None
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "SELECT count(*) FROM source_part JOIN source ON source.id = source_id"
                " JOIN video ON video.id = video_id WHERE video.public_id = %s",
                [video_id],
            ).fetchone()
        assert row is not None
        return int(row[0])

    def sources(self, video_id: str) -> list[Path]:
        """Return the files in the store that were uploaded for a video."""
        url = self._settings.get("TELECINE_STORAGE", (self.data / "media").as_uri())
        return list(Path(urlsplit(url).path).glob(f"*/{video_id}/source/*"))

    def completions(self, video_id: str) -> Counter[str]:
        """Count the events that told that a quality of a video is complete."""
        url = running_url(self.data)
        assert url is not None
        with psycopg.connect(url) as connection:
            rows = connection.execute(
                "SELECT payload->>'encoding', payload->>'quality' FROM event"
                " WHERE type = 'video.encoding.quality.completed' AND media_id = %s",
                [video_id],
            ).fetchall()
        return Counter(f"{encoding} {quality}" for encoding, quality in rows)

    def fsck(self) -> None:
        """Compare rows with objects: nothing may be amiss."""
        environment = {**os.environ, **self._process.environment}
        done = subprocess.run(
            telecine("doctor", "--fsck"),
            cwd=self.data.parent,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    victim = Victim(tmp_path_factory.mktemp("chaos") / "data")
    yield victim
    victim.stop()
