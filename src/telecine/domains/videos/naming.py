"""What a video may be called by (pure)."""

import re

_VIDEO_ID = re.compile(r"vi[0-9A-Za-z]+", re.ASCII)


def is_video_id(text: str) -> bool:
    """Tell an id from a URL."""
    return _VIDEO_ID.fullmatch(text) is not None
