from types import SimpleNamespace

import pytest

from telecine.processes.measuring import MEDIA, REQUESTS, AnswersAtOnce, route_of
from tests.fixtures.waiting import until


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/vod/vi1/hls/manifest.m3u8", "media"),
        ("/vod", "/vod"),  # what players tell
        ("/healthz", "/healthz"),
        ("/vi4k0jvEUuaTdRAEjQ4Jfrgz", "unknown"),
    ],
)
def test_what_is_none_of_the_api_has_few_names(path: str, route: str) -> None:
    assert route_of({"path": path}) == route


def test_operations_have_their_template() -> None:
    route = SimpleNamespace(path="/videos/{videoId}")
    assert route_of({"path": "/videos/vi1", "route": route}) == "/videos/{videoId}"


@pytest.mark.anyio
async def test_answers_at_once_are_counted() -> None:
    def counted() -> float:
        (metric,) = REQUESTS.collect()
        wanted = {"method": "GET", "route": MEDIA, "status": "200"}
        return sum(
            sample.value
            for sample in metric.samples
            if sample.labels == wanted and sample.name.endswith("_total")
        )

    before, answers = counted(), AnswersAtOnce()

    async def all_counted() -> bool:
        return counted() == before + 6

    for _ in range(6):
        answers.note()
    await until(all_counted)
