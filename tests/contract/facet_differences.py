"""Where our document says other things of values than that of 2021, and why.

As in `differences.py`; `what` is a pattern of `value: facet theirs, ours ours`.
"""

from tests.contract.differences import Difference

FACET_DIFFERENCES = (
    Difference(
        "*",
        "answer *: nullable none, ours True",
        "ours says where null is answered, the document of 2021 hardly anywhere",
    ),
    Difference(
        "*",
        "body *: nullable none, ours True",
        "null is taken for what is not there, or clears it: clients send both",
    ),
    Difference("*", "body *: max* none, ours *", "ours: all that can grow has a limit"),
    Difference("*/webhooks*", "body events: minItems none, ours 1", "nobody would be told"),
    Difference(
        "*/webhooks*", "body events[]: enum none, ours *", "ours names the events there are"
    ),
    Difference("*/webhooks*", "body url: format none, ours uri", "others are refused"),
    Difference("*", "path *: pattern none, ours *", "ours: what an id can be; others are 404"),
    Difference("*", "query currentPage: minimum none, ours 1", "in 2021 told in words"),
    Difference("*", "query pageSize: m*mum none, ours *", "in 2021 told in words"),
    Difference("*", "query sort*: enum none, ours *", "in 2021 told in words"),
    Difference("*", "query sortBy: default none, ours createdAt", "in 2021 told in words"),
    Difference("GET /players", "query sortBy: enum *", "of 2026: sorted by name as well"),
    Difference(
        "*",
        "query metadata: type array, ours object",
        "2021 contradicts itself: its clients send `metadata[key]=value`, an object",
    ),
    Difference("* /analytics/*", "query period: format period, ours none", "no known format"),
    Difference(
        "*",
        "answer *: format uri, ours none",
        "addresses are written by us: a format would have clients check them in vain",
    ),
    Difference("*", "body link: format string, ours none", "`string` is no format"),
    Difference(
        "*", "answer *publishedAt: format none, ours date-time", "forgotten in 2021 here alone"
    ),
    Difference("*", "answer *tags[]: type none, ours string", "forgotten in 2021"),
    Difference("*", "answer *ttl: m*mum *, ours none", "what we answer needs no bound"),
    Difference(
        "*", "answer *default: default False, ours none", "always there: it needs no default"
    ),
    Difference("POST /auth/*", "answer token_type: default *", "as api.video writes it"),
    Difference(
        "GET /account", "answer quota.*: type number, ours integer", "whole videos, seconds"
    ),
    Difference("GET /account", "answer environment: enum none, ours *", "there are two"),
    Difference("GET /videos/{videoId}/status", "answer ingest.status: enum *", "of 2026"),
    Difference(
        "*",
        "*: pattern *, ours none",
        "2021 has examples in the place of patterns, and patterns of one case of several",
    ),
    Difference("PATCH *", "body *: default *, ours none", "what is absent stays as it is"),
    Difference(
        "POST /players", "body *: default *, ours none", "absent: as the newest page has it"
    ),
    Difference(
        "*/players*", "answer *: default *, ours none", "always there: they need no default"
    ),
    Difference(
        "POST /videos", "body *: default *, ours none", "null is allowed, and means the same"
    ),
    Difference("POST /live-streams", "body *: default *", "in 2021 told in words"),
    Difference("POST /upload-tokens", "body ttl: default 0, ours none", "absent is 0, too"),
    Difference("*", "error 401: ours", "of all operations; 2021 tells it in its introduction"),
    Difference("*", "error 429: ours", "of all operations; 2021 tells it in its introduction"),
    Difference("*", "error 400: ours", "2021 leaves out what headers and paging can do wrong"),
    Difference("POST /upload", "error 403: ours", "2021 tells of a suspended project elsewhere"),
    Difference("*", "error 404: ours", "2021 forgets it here alone; it is answered as elsewhere"),
    Difference("POST *", "error 409: ours", "ours: the first request of an Idempotency-Key runs"),
    Difference("PATCH /videos/{videoId}", "error 409: ours", "of 2026: discarded videos"),
    Difference("POST *", "error 422: ours", "ours: an Idempotency-Key of another request"),
    Difference("* /videos/{videoId}*", "error 412: ours", "ours: ETags"),
    Difference("POST *", "error 507: ours", "ours: there is no room for the file"),
)
