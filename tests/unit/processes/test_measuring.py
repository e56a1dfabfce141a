from types import SimpleNamespace

import pytest

from telecine.processes.measuring import route_of


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
