"""The settings of the programs that find words; a part of `telecine.settings`."""

import shlex
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from telecine.domains.words.jobs import LONGEST_COMMAND_S


def _words(command: str) -> str:
    try:
        shlex.split(command)
    except ValueError as error:
        raise ValueError(f"must be words as in a shell: {error}") from None
    return command.strip()


Command = Annotated[str, AfterValidator(_words)]


class CommandSettings(BaseModel):
    """What is run to transcribe videos and to sum them up."""

    transcript_command: Command = Field(
        default="",
        description="Program, with arguments, that writes down what is said: WAV in, WebVTT "
        "out; see docs/reference/transcripts.md. Empty: no transcripts are made.",
    )
    transcript_limit_s: int = Field(
        4 * 3600, ge=1, le=LONGEST_COMMAND_S, description="Seconds that it may take for a video."
    )
    summary_command: Command = Field(
        default="",
        description="Program, with arguments, that sums up what was said: text in, JSON out. "
        "Empty: no summaries are made.",
    )
    summary_limit_s: int = Field(
        600, ge=1, le=LONGEST_COMMAND_S, description="Seconds that it may take for a video."
    )
