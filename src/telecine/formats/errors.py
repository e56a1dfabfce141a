"""The one exception of all parsers of foreign bytes."""


class FormatError(ValueError):
    """The bytes break the rules of their format; the text says which."""
