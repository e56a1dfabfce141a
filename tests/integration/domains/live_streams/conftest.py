from tests.fixtures.application import (
    anonymous,
    app,
    client,
    project,
    sandbox,
    services,
    stranger,
)

__all__ = ["anonymous", "app", "client", "project", "sandbox", "services", "stranger"]
