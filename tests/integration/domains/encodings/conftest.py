from tests.integration.domains.encodings.cinema import cinema, house

__all__ = ["cinema", "house"]
