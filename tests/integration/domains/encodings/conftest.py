from tests.integration.domains.encodings.cinema import cinema

__all__ = ["cinema"]
