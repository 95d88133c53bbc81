"""Sync as a task."""

import structlog

from myapp.identity.directory import NoDirectory
from myapp.modules.sync.usecases import SyncUsecase
from myapp.queue.tasks import Cron, Handler, JobContext, Nothing, Task

log = structlog.get_logger()

SYNC_DATA = Task(
    "sync:data",
    Nothing,
    queue="low",
    timeout=3600,  # a million users take the better part of it; another attempt goes on from there
    attempts=5,
)


def sync_cron() -> Cron[Nothing]:
    return Cron("sync-data", SYNC_DATA, "0 3 * * *", Nothing())


def sync_handler(sync: SyncUsecase) -> Handler[Nothing]:
    """What `sync:data` does; where there is no list it says so and is done."""

    async def handle(_job: JobContext, _payload: Nothing) -> dict[str, object]:
        try:
            return dict(await sync.run())
        except NoDirectory as error:
            log.info("nothing to sync with", reason=error.text)
            return {"skipped": error.text}

    return handle
