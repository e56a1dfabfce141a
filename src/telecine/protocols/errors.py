"""The one exception of all protocols: the peer broke the rules, or asks for too much."""


class ProtocolError(ValueError):
    """The connection cannot go on; the text says why and holds no secret."""
