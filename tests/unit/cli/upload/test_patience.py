from collections.abc import Awaitable, Callable

import pytest

from telecine.cli.upload.api import NotNow
from telecine.cli.upload.patience import Patience
from telecine.processes.exits import CannotGoOn, Exit

pytestmark = pytest.mark.anyio


class Clock:
    def __init__(self) -> None:
        self.pauses_s: list[float] = []
        self.notes: list[str] = []

    async def pause(self, seconds: float) -> None:
        self.pauses_s.append(seconds)

    def patience(self, limit_s: float = 600) -> Patience:
        return Patience(limit_s, self.notes.append, self.pause)


def failing(*troubles: Exception) -> Callable[[int], Awaitable[str]]:
    left = list(troubles)

    async def attempt(failures: int) -> str:
        assert failures == len(troubles) - len(left)
        if left:
            raise left.pop(0)
        return "done"

    return attempt


async def test_pauses_grow_up_to_a_bound() -> None:
    clock = Clock()
    assert await clock.patience().insist(failing(*[NotNow("Busy.")] * 10)) == "done"
    longest_s = [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30]
    for pause_s, most_s in zip(clock.pauses_s, longest_s, strict=True):
        assert 0.75 * most_s <= pause_s <= most_s


async def test_the_server_says_how_long_to_wait() -> None:
    clock = Clock()
    await clock.patience().insist(failing(NotNow("Full.", after_s=60), NotNow("Full.", after_s=7)))
    assert clock.pauses_s == [60, 7]


async def test_the_same_trouble_is_told_once() -> None:
    clock = Clock()
    await clock.patience().insist(failing(NotNow("Full."), NotNow("Full."), NotNow("Gone.")))
    assert clock.notes == ["Full. Trying again.", "Gone. Trying again."]


async def test_patience_ends() -> None:
    clock = Clock()
    with pytest.raises(CannotGoOn, match=r"Full\. Given up after 120 s") as caught:
        await clock.patience(179).insist(failing(*[NotNow("Full.", after_s=60)] * 4))
    assert caught.value.status is Exit.FAILED
    assert clock.pauses_s == [60, 60]


async def test_none_at_all() -> None:
    clock = Clock()
    with pytest.raises(CannotGoOn):
        await clock.patience(0).insist(failing(NotNow("Busy.")))
    assert clock.pauses_s == []


async def test_a_server_that_never_answered_is_not_waited_for() -> None:
    clock = Clock()
    with pytest.raises(CannotGoOn, match="Is it running") as caught:
        await clock.patience().insist(failing(NotNow("Refused.", reached=False)))
    assert caught.value.status is Exit.SERVER_UNREACHABLE
    assert clock.pauses_s == []


@pytest.mark.parametrize("before", [failing(), failing(NotNow("Busy."))])
async def test_a_server_that_has_answered_is(
    before: Callable[[int], Awaitable[str]],
) -> None:
    clock = Clock()
    patience = clock.patience()
    await patience.insist(before)
    assert await patience.insist(failing(NotNow("Refused.", reached=False))) == "done"


async def test_what_is_no_passing_trouble_is_raised() -> None:
    with pytest.raises(CannotGoOn, match="broken"):
        await Clock().patience().insist(failing(CannotGoOn(Exit.FAILED, "broken")))
