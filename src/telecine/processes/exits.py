"""Exit statuses of the program, and the exception that carries one."""

import enum


class Exit(enum.IntEnum):
    """Why the program ended. The numbers are part of the documented interface."""

    DONE = 0
    FAILED = 1  # a check or a request failed; the message says which
    USAGE = 2  # wrong words on the command line
    SETTINGS_WRONG = 10
    FOLDER_LOCKED = 11  # another Telecine runs on the data folder
    FOLDER_UNUSABLE = 12
    PORT_TAKEN = 13
    DISK_FULL = 14
    FFMPEG_MISSING = 15
    DATABASE_FAILED = 16  # it does not start, or cannot be reached
    DATABASE_NEWER = 17  # a newer release has migrated it
    KEEPS_DYING = 18  # a child process died again and again
    SERVER_UNREACHABLE = 19  # a command found no running server
    STORAGE_NOT_SHARED = 20  # another machine on this database keeps media elsewhere


class CannotGoOn(Exception):
    """The program has to end; the message tells a person why and what to do."""

    def __init__(self, status: Exit, message: str) -> None:
        super().__init__(message)
        self.status = status
