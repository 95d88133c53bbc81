"""Crashes at a chosen step: a coroutine is cut off where it waits for the n-th time."""

import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from typing import Any


class Crash(BaseException):
    """Nobody's `except Exception` survives it, as nobody survives a kill."""


@types.coroutine
def cut_off(work: Coroutine[Any, Any, Any], at: int) -> Generator[Any, Any, Any]:
    """Runs the work, and raises Crash in it where it waits for the time numbered `at`, from 1."""
    waits = 0
    resume: Callable[[], Any] = partial(work.send, None)
    while True:
        try:
            waited_for = resume()
            waits += 1
            if waits == at:
                # What it waited for is left to itself, as after a kill.
                waited_for = work.throw(Crash())
        except StopIteration as done:
            return done.value
        try:
            resume = partial(work.send, (yield waited_for))
        except BaseException as error:  # noqa: BLE001  # a cancellation is the work's to handle
            resume = partial(work.throw, error)


async def crash_everywhere(
    work: Callable[[], Coroutine[Any, Any, Any]], *, after: Callable[[int], Awaitable[None]]
) -> int:
    """Runs the work with a crash at its first wait, at its second, and so on until it gets through.

    `after` is called after each crash with its number. Returns how many there were.
    """
    at = 0
    while True:
        at += 1
        try:
            await cut_off(work(), at)
        except Crash:
            await after(at)
        else:
            return at - 1
