"""The program's own signal handlers: the only ones in it."""

import asyncio
import faulthandler
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger()

STOP_SECONDS = 30  # from the signal to the end of the process
SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def own_signals(
    stop: asyncio.Event,
    *,
    at_once: Callable[[], None] = lambda: None,
    stop_seconds: float = STOP_SECONDS,
) -> Iterator[None]:
    """The first signal sets `stop`, the second calls `at_once` and ends the process.

    A process that has not ended in time after the first says where it hangs, and exits with 1.
    What else sets `stop` is no signal: the first one after it changes nothing.
    """
    loop = asyncio.get_running_loop()
    seen: list[signal.Signals] = []

    def on_signal(received: signal.Signals) -> None:
        if seen:
            at_once()
            os._exit(128 + received)
        seen.append(received)
        if not stop.is_set():
            begin_stop(stop, stop_seconds=stop_seconds, signal=received.name)

    for handled in SIGNALS:
        loop.add_signal_handler(handled, on_signal, handled)
    try:
        yield
    finally:
        for handled in SIGNALS:
            loop.remove_signal_handler(handled)
        faulthandler.cancel_dump_traceback_later()


def begin_stop(
    stop: asyncio.Event, *, stop_seconds: float = STOP_SECONDS, **because: object
) -> None:
    """Sets `stop`, and the time by which the process has to have ended."""
    log.info("stopping", **because)
    faulthandler.dump_traceback_later(stop_seconds, exit=True)
    stop.set()
