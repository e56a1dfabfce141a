"""Captions and chapters as delivery needs them."""

from dataclasses import dataclass

from telecine.domains.captions import languages
from telecine.domains.captions.models import TextTrack


@dataclass(frozen=True, slots=True)
class TextView:
    """A text track as delivery needs it."""

    language: str
    key: str
    size_bytes: int
    header_bytes: int
    default: bool

    @classmethod
    def of(cls, row: TextTrack, *, default: bool = False) -> "TextView":
        """Take over a row."""
        return cls(row.language, row.key, row.size_bytes, row.header_bytes, default)

    @property
    def label(self) -> str:
        """Return what speakers of the language call it."""
        return languages.names().get(self.language, self.language)

    @property
    def etag(self) -> bytes:
        """Return the entity tag of the file as it was uploaded."""
        return b'"%s"' % self.key.rsplit("/", 1)[-1].encode()
