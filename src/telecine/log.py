"""Log set-up of a process: structured lines on stderr, secrets masked.

Lines are for people on a terminal, JSON objects otherwise. Records of libraries
that use the standard `logging` come out in the same form.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

MASK = "***"

_SECRET_NAMES = frozenset(
    {
        "api_key",
        "authorization",
        "cookie",
        "key",
        "operator_key",
        "password",
        "secret",
        "secret_key",
        "stream_key",
        "token",
    }
)
_SECRETS_IN_TEXT = re.compile(
    r"""
    (?P<before>
        \b(?:basic|bearer)\s+                          # the Authorization header
      | [?&;\s"'](?:token|avh|access_token|refresh_token|signature|x-amz-signature
          |x-amz-security-token|streamkey|streamid|api_?key|password|secret)=
      | /(?:token|private)/                            # path of private media
      | ://[^/\s:@]+:(?=[^/\s@]+@)                     # password in a URL
    )
    [^\s&/"'@;,]+
    """,
    re.VERBOSE | re.IGNORECASE,
)


def masked(text: str) -> str:
    """Return `text` without the secrets that URLs and headers carry."""
    return _SECRETS_IN_TEXT.sub(lambda found: found["before"] + MASK, text)


def mask_secrets(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Mask secrets in the values of an event (a structlog processor)."""
    for name, value in event.items():
        if name in _SECRET_NAMES:
            event[name] = MASK
        elif isinstance(value, str):
            event[name] = masked(value)
        elif isinstance(value, bytes):
            event[name] = masked(value.decode(errors="replace"))
    return event


def configure(log_format: str, level: str, *, process: str | None = None) -> None:
    """Route all logging of this process to stderr.

    `log_format` is "console", "json" or "auto" (console on a terminal); `process`
    names this process in every line.
    """
    is_console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Formatted here, not by the renderer, so that tracebacks are masked too.
        structlog.processors.format_exc_info,
        _naming(process),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        if is_console
        else structlog.processors.JSONRenderer(sort_keys=False)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                mask_secrets,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("httpx", "httpcore", "uvicorn.error", "procrastinate", "alembic", "asyncio"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)


def _naming(process: str | None) -> structlog.typing.Processor:
    def name(
        _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        if process is not None:
            event["process"] = process
        return event

    return name
