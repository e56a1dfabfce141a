"""What can go wrong on the way to somebody else's server."""


class OutboundError(Exception):
    """A request to another server failed; the message may be shown to its owner."""


class Refused(OutboundError):
    """We may not go there: the URL or the addresses behind it are not allowed."""


class Unreachable(OutboundError):
    """The other side did not answer, or not in HTTP; another try may do better."""


class TooMuch(OutboundError):
    """The reply had more bytes than the caller takes."""


class TooSlow(OutboundError):
    """The exchange took longer than the caller waits."""
