"""The hourly clean-up: each feature removes what has expired of its own."""

from collections.abc import Mapping

import structlog

from myapp.module import Cleanup
from myapp.queue.tasks import Cron, Handler, JobContext, Nothing, Task

log = structlog.get_logger()

CLEANUP_EXPIRED = Task(
    "cleanup:expired",
    Nothing,
    queue="low",
    timeout=600,  # batches are small, but there may be many after a long pause
    attempts=3,
)


def cleanup_cron() -> Cron[Nothing]:
    return Cron("cleanup-expired", CLEANUP_EXPIRED, "0 * * * *", Nothing())


def cleanup_task(cleanups: Mapping[str, Cleanup]) -> tuple[Task[Nothing], Handler[Nothing]]:
    """The task that calls every cleanup; one that fails does not keep the others from theirs."""

    async def clean(_job: JobContext, _payload: Nothing) -> dict[str, int]:
        removed: dict[str, int] = {}
        failures: list[Exception] = []
        for name, cleanup in cleanups.items():
            try:
                removed[name] = await cleanup()
            except Exception as error:  # noqa: BLE001  # raised below, with the others'
                failures.append(error)
        if failures:
            raise ExceptionGroup(f"{len(failures)} of {len(cleanups)} cleanups failed", failures)
        log.info("expired data removed", **removed)
        return removed

    return CLEANUP_EXPIRED, clean
