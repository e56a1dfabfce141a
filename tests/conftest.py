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


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
