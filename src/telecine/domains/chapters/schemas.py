"""What goes over the wire for chapters."""

from telecine.http.schemas import Pagination, Wire


class ChapterDocument(Wire):
    """The chapters of a video in one language."""

    uri: str
    src: str
    language: str


class ChapterList(Wire):
    """A page of chapters."""

    data: list[ChapterDocument]
    pagination: Pagination
