"""What a run of a media program can end in.

Exception
├── MediaError    the file's fault: another try ends the same way
└── RunnerError   ours or the machine's: another try may succeed
"""


class MediaError(Exception):
    """The media itself makes the work impossible.

    `reason` is a slug for programs (`unreadable`, `too-complex`, `crashes-decoder`, or one
    of the caller's); `detail` is for people: usually the last lines of the program.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class RunnerError(Exception):
    """The run failed for a reason that lies outside of the media.

    `reason`: `sandbox`, `launch`, `wall-limit`, `stalled`, `killed`, `out-of-space`.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
