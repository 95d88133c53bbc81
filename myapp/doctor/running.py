"""Running checks side by side: each fails by itself and keeps none of the others from theirs."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from myapp.doctor.findings import Finding, failed
from myapp.errors import AppError

CHECK_SECONDS = 10.0  # above the limits that the parts have for themselves, which say more

Result = TypeVar("Result")
Explain = Callable[[BaseException], str]


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at. `advice` is what to do where looking fails."""

    name: str
    advice: str
    look: Callable[[], Awaitable[Sequence[Finding]]]
    seconds: float = CHECK_SECONDS


async def run_checks(checks: Sequence[Check], *, explain: Explain) -> list[Finding]:
    """The findings in the order of the checks. `explain` turns an exception into a sentence."""
    answers = await asyncio.gather(*(answer(check, explain) for check in checks))
    return [finding for findings in answers for finding in findings]


async def answer(check: Check, explain: Explain) -> Sequence[Finding]:
    # Not asyncio.timeout: that would wait for a check that does not heed its cancellation.
    looking = asyncio.ensure_future(check.look())
    await asyncio.wait([looking], timeout=check.seconds)
    if not looking.done():
        looking.cancel()
        return [failed(check.name, f"No answer came within {check.seconds:g} s", check.advice)]
    if looking.cancelled():
        return [failed(check.name, "The check was broken off", check.advice)]
    if error := looking.exception():
        return [failed(check.name, explain(error), check.advice)]
    return looking.result()


def innermost(error: BaseException) -> BaseException:
    """What lies behind one of our own errors, which tell clients nothing."""
    while isinstance(error, AppError) and error.__cause__ is not None:
        error = error.__cause__
    return error


async def in_daemon_thread(work: Callable[[], Result]) -> Result:
    """Does blocking work in a thread that no end of the program waits for.

    A file system that has gone away blocks for ever, and takes a pool's threads with it.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: BaseException | None) -> None:
        if done.done():  # it took too long, and nobody waits any more
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # without an error it is the work's

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as caught:  # noqa: BLE001  # raised again where it is awaited
            error = caught
        if not loop.is_closed():
            loop.call_soon_threadsafe(partial(settle, result, error))

    threading.Thread(target=run, daemon=True, name="doctor").start()
    return await done
