"""Captions that nobody wrote for people: refused before they are read, and taken in no memory."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from telecine.domains.captions.receiving import MAX_BYTES
from tests.fixtures.customer import Customer
from tests.fixtures.server import TelecineServer, running_telecine
from tests.integration.processes.family import descendants, is_alive

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.xdist_group("own-server")]

HUGE_BYTES = 50 << 20
REFUSED_BYTES, TAKEN_BYTES = 20 << 20, 100 << 20
"""What a process may need to refuse one, and to read the largest that is taken."""
KINDS = ("captions", "chapters")


def cues(size: int) -> Iterator[bytes]:
    """Yield a valid WebVTT file of `size` bytes, a hundred cues at a time."""
    number, piece = 0, b"WEBVTT\n\n"
    while size > len(piece):
        yield piece
        size -= len(piece)
        piece = b"".join(
            b"%02d:%02d:%02d.000 --> %02d:%02d:%02d.900\ncue %d\n\n"
            % (*_clock(each), *_clock(each), each)
            for each in range(number, number + 100)
        )
        number += 100
    yield b"\n" * size


def _clock(number: int) -> tuple[int, int, int]:
    return number // 3600 % 100, number // 60 % 60, number % 60


class Sent:
    """A form with a file, made while it is sent."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.bytes = 0
        self.headers = {"Content-Type": "multipart/form-data; boundary=b"}

    def __iter__(self) -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.vtt"\r\n\r\n'
        for piece in cues(self.size):
            self.bytes += len(piece)
            yield piece
        yield b"\r\n--b--\r\n"


class Memory:
    """The most that each process of a server needs from now on."""

    def __init__(self, server: TelecineServer) -> None:
        self._before = {}
        for pid in descendants(server.pid):
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak is what there is
            self._before[pid] = self._peak(pid)

    def growth(self) -> int:
        """Return by how many bytes the process grew that grew most, of those still there."""
        there = {pid: before for pid, before in self._before.items() if is_alive(pid)}
        return max(self._peak(pid) - before for pid, before in there.items())

    @staticmethod
    def _peak(pid: int) -> int:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        assert found is not None
        return int(found[1]) * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TelecineServer]:
    """One that does nothing else meanwhile."""
    settings = {"TELECINE_API_PROCESSES": "1"}
    with running_telecine(tmp_path_factory.mktemp("huge") / "data", settings) as (_, server):
        yield server


@pytest.fixture(scope="module")
def customer(server: TelecineServer) -> Iterator[Customer]:
    with Customer(server) as customer:
        yield customer


@pytest.fixture(scope="module")
def video_id(customer: Customer) -> str:
    created = customer.http.post("/videos", json={"title": "Huge"}).raise_for_status()
    return str(created.json()["videoId"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("told", [True, False], ids=["length told", "chunked"])
async def test_fifty_megabytes_are_refused(
    customer: Customer, server: TelecineServer, video_id: str, kind: str, told: bool
) -> None:
    sent, memory = Sent(HUGE_BYTES), Memory(server)
    frame = sum(map(len, Sent(0))) - sum(map(len, cues(0)))
    length = {"Content-Length": str(HUGE_BYTES + frame)} if told else {}
    path = f"/videos/{video_id}/{kind}/en"
    try:
        answer = customer.http.post(path, content=sent, headers=sent.headers | length)
    except httpx.TransportError:
        # It goes on sending after it was refused, to nobody.
        assert 0 < sent.bytes < HUGE_BYTES
    else:
        assert answer.status_code == 400
        assert answer.json()["type"].endswith("/uploaded-file-too-large")
        assert answer.json()["name"] == "file"
    assert memory.growth() < REFUSED_BYTES
    assert customer.http.get(path).status_code == 404


@pytest.mark.parametrize("kind", KINDS)
async def test_the_largest_is_taken_as_it_is(
    customer: Customer, server: TelecineServer, video_id: str, kind: str
) -> None:
    sent, memory = Sent(MAX_BYTES), Memory(server)
    path = f"/videos/{video_id}/{kind}/fr"
    answer = customer.http.post(path, content=sent, headers=sent.headers)
    assert answer.status_code == 200, answer.text
    assert memory.growth() < TAKEN_BYTES
    assert customer.media(video_id, f"{kind}/fr.vtt") == b"".join(cues(MAX_BYTES))
