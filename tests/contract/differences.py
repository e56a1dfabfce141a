"""Where our OpenAPI document departs from the reference documents, and why.

`operation` and `what` are patterns of `fnmatch`; `what` is "missing", "also", or the kind
of fact and the name: `parameters: no query period`, `answer: also progress`.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Difference:
    operation: str
    what: str
    reason: str

    def covers(self, operation: str, what: str) -> bool:
        """Tell whether this explains a difference."""
        return fnmatchcase(operation, literal(self.operation)) and fnmatchcase(
            what, literal(self.what)
        )


def literal(pattern: str) -> str:
    """Keep the brackets of `tags[].value` from being a set of characters."""
    return pattern.replace("[", "[[]")


DIFFERENCES = (
    Difference(
        "POST *", "parameters: also header Idempotency-Key", "ours: a request may be sent twice"
    ),
    Difference("* /videos/{videoId}*", "parameters: also header If-*Match", "ours: ETags"),
    Difference(
        "PATCH /discarded/videos/{videoId}",
        "required: also discarded",
        "the documents mark no attributes of this body, and an empty one means nothing",
    ),
    Difference(
        "POST /players/{playerId}/logo",
        "required: no link",
        "required in 2021 only: a logo may lead nowhere",
    ),
    Difference(
        "* /players*",
        "answer: no *shape*",
        "deprecated in 2021 already, and no part of any recorded answer",
    ),
    Difference(
        "* /live-streams*",
        "answer: no *record",
        "only clients that are old enough to know it are shown it",
    ),
    Difference("GET /analytics/*/plays", "also", "of 2023: between the two documents"),
    Difference("* /tus/*", "also", "ours: uploads that are resumed by their URL"),
)
