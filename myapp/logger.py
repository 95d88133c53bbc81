"""Logs: structlog for us and, through it, for every library that uses `logging`."""

import io
import logging
import logging.config
import os
import sys
from collections import deque
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor

# An answer that takes us longer is a warning: a second is what a person does not wait for gladly,
# and many times what any route of ours needs.
SLOW_SECONDS = 1.0

# Libraries whose information is noise to an operator; their warnings are not.
QUIET = ("aerich", "asyncio", "httpx", "saq", "tortoise", "uvicorn", "firebase_admin", "urllib3")


class LastLines(io.StringIO):
    """Where a log goes while something else draws on the terminal: the last lines are kept."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self._pieces: deque[str] = deque(maxlen=lines)

    def write(self, text: str) -> int:
        self._pieces.append(text)
        return len(text)

    def text(self) -> str:
        return "".join(self._pieces)


def configure_logging(
    level: str, log_format: str, *, file: TextIO | None = None, shared: bool = False
) -> None:
    """Sends every log line to standard error, as text for people or as JSON for machines.

    Standard output stays free for what a command prints; `file` is to have the lines
    instead. Of libraries nothing below information is logged: hpack's debug lines, to name one,
    hold the headers of every call, and so API keys. Where several processes share the stream,
    each line names its own.
    """
    output = file or sys.stderr
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        *([name_process] if shared else []),
    ]
    rendering = renderers(log_format)
    structlog.configure(
        processors=[*common, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=output),
        cache_logger_on_first_use=True,
    )
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [*common, structlog.stdlib.ExtraAdder()],
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
    }
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"structlog": formatter},
            "handlers": {
                "stderr": {
                    "class": "logging.StreamHandler",
                    "formatter": "structlog",
                    "stream": output,
                },
            },
            "root": {
                "handlers": ["stderr"],
                "level": "INFO" if level == "debug" else level.upper(),
            },
            "loggers": {name: {"level": "WARNING"} for name in QUIET},
        }
    )


def name_process(_logger: object, _method: str, event: EventDict) -> EventDict:
    event["pid"] = os.getpid()
    return event


def renderers(log_format: str) -> list[Processor]:
    if log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # Plain tracebacks: those of rich show local variables, and tokens are among them.
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    ]
