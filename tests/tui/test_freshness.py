"""The loop that keeps a view fresh."""

import asyncio
from contextlib import suppress

from myapp.backoff import Backoff
from myapp.errors import AppError, Invalid, Unavailable
from myapp.tui.freshness import Freshness

NEVER = 3600.0
AT_ONCE = Backoff(base=0.0, cap=0.0)


class Source:
    """Fails as it is told, and keeps what was reported."""

    def __init__(self, *faults: AppError | None) -> None:
        self._faults = list(faults)
        self.reports: list[AppError | None] = []
        self.loaded = asyncio.Event()

    async def load(self) -> None:
        fault = self._faults.pop(0) if self._faults else None
        if fault:
            raise fault

    async def report(self, error: AppError | None) -> None:
        self.reports.append(error)
        if error is None:
            self.loaded.set()


async def run_until_loaded(source: Source, freshness: Freshness) -> None:
    running = asyncio.create_task(freshness.run())
    try:
        async with asyncio.timeout(10):
            await source.loaded.wait()
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


class TestFreshness:
    async def test_tries_again_after_an_outage_without_being_woken(self) -> None:
        away = Unavailable()
        source = Source(away, away)
        freshness = Freshness(
            source.load,
            every=NEVER,
            wanted=lambda: True,
            report=source.report,
            backoff=AT_ONCE,
        )
        await run_until_loaded(source, freshness)
        assert source.reports == [away, away, None]

    async def test_reports_what_makes_no_sense_and_waits_for_its_time(self) -> None:
        wrong = Invalid()
        source = Source(wrong)
        freshness = Freshness(
            source.load, every=0.0, wanted=lambda: True, report=source.report, backoff=AT_ONCE
        )
        await run_until_loaded(source, freshness)
        assert source.reports == [wrong, None]

    async def test_loads_nothing_while_it_is_not_wanted(self) -> None:
        source = Source()
        looks = iter([False, False, True])
        freshness = Freshness(
            source.load, every=0.0, wanted=lambda: next(looks, True), report=source.report
        )
        await run_until_loaded(source, freshness)
        assert next(looks, None) is None
