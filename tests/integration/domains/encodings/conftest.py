from tests.fixtures.application import anonymous, app, services
from tests.integration.domains.encodings.cinema import cinema, house

__all__ = ["anonymous", "app", "cinema", "house", "services"]
