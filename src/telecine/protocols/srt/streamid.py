"""What a caller's stream id asks for: a bare key, `publish:key`, or `#!::r=key,m=publish`."""

from telecine.protocols.srt.handshake import BAD_MODE, Rejected

_STRUCTURED = "#!::"
_PUBLISH = "publish"
_OTHER_MODES = ("request", "read", "play", "subscribe")


def publish_key(stream_id: str) -> str:
    """Return the key to publish under, a secret.

    The structured form is that of SRT's access control guidelines; a mode that is left out
    is taken for ours.

    Raises:
        Rejected: the caller wants something else.
    """
    if stream_id.startswith(_STRUCTURED):
        fields = dict(
            field.partition("=")[::2] for field in stream_id[len(_STRUCTURED) :].split(",")
        )
        mode, key = fields.get("m", _PUBLISH), fields.get("r", "")
    else:
        mode, _, key = stream_id.partition(":")
        if mode in (_PUBLISH, *_OTHER_MODES):
            key = key.partition(":")[0]  # a name and a password may follow
        else:
            mode, key = _PUBLISH, stream_id
    if mode != _PUBLISH:
        raise Rejected(BAD_MODE, "it wants to do something else than to publish")
    return key.partition("?")[0].strip()
