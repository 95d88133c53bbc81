"""Checks run side by side, and each answers for itself."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from myapp.doctor.findings import Finding, Status, ok, warning, worst
from myapp.doctor.running import Check, in_daemon_thread, run_checks
from myapp.errors import Unavailable


async def pass_at_once() -> Sequence[Finding]:
    return [ok("good", "It is well"), warning("good.so", "It could be better", "Better it")]


async def hang() -> Sequence[Finding]:
    await asyncio.Event().wait()
    return []


async def hang_stubbornly() -> Sequence[Finding]:
    for _ in range(5):
        try:
            await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            continue
    return []


async def fail() -> Sequence[Finding]:
    raise Unavailable("It is away")


async def block() -> Sequence[Finding]:
    await in_daemon_thread(threading.Event().wait)
    return []


def check(name: str, look: object, *, seconds: float = 60.0) -> Check:
    return Check(name, "Do something", look, seconds)  # type: ignore[arg-type]  # one of the above


class TestRunChecks:
    @pytest.mark.parametrize("look", [hang, hang_stubbornly, block])
    async def test_one_that_hangs_fails_alone(self, look: object) -> None:
        checks = [check("slow", look, seconds=0.05), check("good", pass_at_once)]
        found = await run_checks(checks, explain=str)
        assert [(each.name, each.status) for each in found] == [
            ("slow", Status.FAILED),
            ("good", Status.OK),
            ("good.so", Status.WARNING),
        ]
        assert found[0].advice == "Do something"
        assert "0.05 s" in found[0].message

    async def test_one_that_raises_fails_alone(self) -> None:
        checks = [check("bad", fail), check("good", pass_at_once)]
        found = await run_checks(checks, explain=str)
        assert [(each.name, each.message) for each in found][:2] == [
            ("bad", "It is away"),
            ("good", "It is well"),
        ]

    async def test_they_look_at_once(self) -> None:
        meeting = asyncio.Barrier(3)

        async def meet() -> Sequence[Finding]:
            await meeting.wait()
            return [ok("met", "All are here")]

        found = await run_checks([check(str(n), meet) for n in range(3)], explain=str)
        assert {each.status for each in found} == {Status.OK}


class TestInDaemonThread:
    async def test_gives_and_raises_what_the_work_does(self) -> None:
        assert await in_daemon_thread(lambda: 1) == 1
        with pytest.raises(ZeroDivisionError):
            await in_daemon_thread(lambda: 1 // 0)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], Status.OK),
        ([Status.OK, Status.WARNING], Status.WARNING),
        ([Status.WARNING, Status.FAILED, Status.OK], Status.FAILED),
    ],
)
def test_the_worst_counts(statuses: list[Status], expected: Status) -> None:
    assert worst(Finding("a", status, "b") for status in statuses) is expected
