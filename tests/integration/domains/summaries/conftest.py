from tests.fixtures.application import (
    anonymous,
    app,
    client,
    project,
    sandbox,
    services,
    stranger,
)
from tests.fixtures.viewing import viewer

__all__ = ["anonymous", "app", "client", "project", "sandbox", "services", "stranger", "viewer"]
