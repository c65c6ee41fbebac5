"""Structured logs on standard error: for people on a terminal, JSON lines elsewhere; secrets masked.

Only programs that run for long log; commands answer on standard output instead.
"""

import logging
import sys

import structlog
from structlog.typing import EventDict, WrappedLogger

from automation.core.masking import mask


def set_up(level: int = logging.INFO) -> None:
    """Configure structlog for this process."""
    interactive = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if interactive else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _masked,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _masked(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    masked = mask(dict(event))
    assert isinstance(masked, dict)
    return masked
