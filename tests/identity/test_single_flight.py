import asyncio

import pytest

from myapp.identity.single_flight import SingleFlight


class Work:
    """Counts its runs, and ends when it is told to."""

    def __init__(self) -> None:
        self.runs = 0
        self.go = asyncio.Event()

    async def __call__(self) -> int:
        self.runs += 1
        run = self.runs
        await self.go.wait()
        if run > 100:
            raise ZeroDivisionError
        return run


async def test_fifty_at_once_are_one_run() -> None:
    flight, work = SingleFlight[str, int](), Work()
    tasks = [asyncio.create_task(flight.run("key", work)) for _ in range(50)]
    await asyncio.sleep(0)
    work.go.set()
    assert await asyncio.gather(*tasks) == [1] * 50
    assert await flight.run("key", work) == 2


async def test_keys_do_not_wait_for_each_other() -> None:
    flight, work = SingleFlight[str, int](), Work()
    work.go.set()
    assert {*await asyncio.gather(flight.run("a", work), flight.run("b", work))} == {1, 2}


async def test_all_share_the_failure_and_the_next_one_tries_anew() -> None:
    flight, work = SingleFlight[str, int](), Work()
    work.runs = 100
    tasks = [asyncio.create_task(flight.run("key", work)) for _ in range(3)]
    await asyncio.sleep(0)
    work.go.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [ZeroDivisionError] * 3
    work.runs = 0
    assert await flight.run("key", work) == 1


async def test_a_cancelled_first_caller_cancels_nobody_else() -> None:
    flight, work = SingleFlight[str, int](), Work()
    first, second = (asyncio.create_task(flight.run("key", work)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    work.go.set()
    assert await second == 1
    assert first.cancelled()


async def test_a_failure_that_nobody_waited_for_is_no_noise() -> None:
    flight, work = SingleFlight[str, int](), Work()
    noise: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: noise.append(context))
    work.runs = 100
    task = asyncio.create_task(flight.run("key", work))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    work.go.set()
    await asyncio.sleep(0.01)
    del task
    assert noise == []


class TestKeeping:
    async def test_the_result_is_kept_once(self) -> None:
        flight, work, kept = SingleFlight[str, int](), Work(), list[int]()
        work.go.set()
        await asyncio.gather(*(flight.run("key", work, keep=kept.append) for _ in range(5)))
        assert kept == [1]

    async def test_what_was_forgotten_on_the_way_is_not_kept(self) -> None:
        flight, work, kept = SingleFlight[str, int](), Work(), list[int]()
        old = asyncio.create_task(flight.run("key", work, keep=kept.append))
        await asyncio.sleep(0)
        flight.forget("key")
        new = asyncio.create_task(flight.run("key", work, keep=kept.append))
        await asyncio.sleep(0)
        work.go.set()
        assert await old == 1
        assert await new == 2
        assert kept == [2]

    async def test_after_clearing_nothing_under_way_is_kept(self) -> None:
        flight, work, kept = SingleFlight[str, int](), Work(), list[int]()
        task = asyncio.create_task(flight.run("key", work, keep=kept.append))
        await asyncio.sleep(0)
        flight.clear()
        work.go.set()
        await task
        assert kept == []
