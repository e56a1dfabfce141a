import os

import pytest
from hypothesis import settings

# How long an example takes says more of the machine than of the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

pytest_plugins = [
    "tests.fixtures.database",
    "tests.fixtures.store",
    "tests.fixtures.media",
    "tests.fixtures.server",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("telecine", "what takes longer than a run of all tests may")
    group.addoption("--events", type=int, default=1000, help="of webhooks while processes die")
    group.addoption("--encodes", type=int, default=10, help="videos while processes die at random")
    group.addoption("--publishers", type=int, default=2, help="live at the same time in a soak")
    group.addoption("--live-minutes", type=float, default=1.25, help="of media of each of them")
    group.addoption("--every-input", action="store_true", help="whose segments are made apart")
    group.addoption("--obs", action="store_true", help="Studio streams, which has to be installed")
    group.addoption("--minutes", type=float, default=5.5, help="of sound that must not drift")
    group.addoption(
        "--idle", action="store_true", help="the machine is: hold browsers to what it allows"
    )


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only a disk does, where media is in a bucket."""
    if os.environ.get("TEST_STORE") != "s3":
        return
    left_out = [item for item in items if item.get_closest_marker("disk")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
