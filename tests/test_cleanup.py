import pytest
from structlog.testing import capture_logs

from myapp.cleanup import cleanup_task
from myapp.queue.tasks import JobContext, Nothing

JOB = JobContext("key", "cleanup:expired", "low", 1, 3, None, "worker")


async def remove_two() -> int:
    return 2


async def fail() -> int:
    raise OSError("the disk is away")


async def test_it_says_what_was_removed() -> None:
    _, clean = cleanup_task({"devices": remove_two, "files": remove_two})
    with capture_logs() as logs:
        assert await clean(JOB, Nothing()) == {"devices": 2, "files": 2}
    assert logs[0]["event"] == "expired data removed"


async def test_one_that_fails_keeps_no_other_from_its_work_and_fails_the_job() -> None:
    removed: list[int] = []

    async def remove() -> int:
        removed.append(1)
        return 1

    _, clean = cleanup_task({"files": fail, "devices": remove})
    with pytest.raises(ExceptionGroup, match="1 of 2 cleanups failed") as failure:
        await clean(JOB, Nothing())
    assert [str(each) for each in failure.value.exceptions] == ["the disk is away"]
    assert removed == [1]
