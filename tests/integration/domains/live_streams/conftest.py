"""The application in this process, on a database of the test's own."""

from tests.fixtures.application import project, services

__all__ = ["project", "services"]
