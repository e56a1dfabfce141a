import pytest

pytest_plugins = [
    "tests.fixtures.database",
    "tests.fixtures.store",
    "tests.fixtures.media",
    "tests.fixtures.server",
]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
