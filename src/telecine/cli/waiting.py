"""The one place where a command sleeps."""

import time


def pause(seconds: float) -> None:
    """Wait before asking a server again."""
    time.sleep(seconds)
