"""Sync: users as the identity provider has them."""

from dataclasses import dataclass

from myapp.audit import record_change
from myapp.module import Module
from myapp.modules.sync.change import ChangeUsecase
from myapp.modules.sync.tasks import SYNC_DATA, sync_cron, sync_handler
from myapp.modules.sync.usecases import SyncUsecase
from myapp.resources import Resources


@dataclass(frozen=True, kw_only=True)
class SyncModule(Module):
    sync: SyncUsecase


def init(resources: Resources) -> SyncModule:
    """Builds the sync, which runs each night and by `myapp sync`."""
    change = ChangeUsecase(
        accounts=resources.accounts, outbox=resources.outbox, audit=record_change
    )
    sync = SyncUsecase(resources.directory, change=change)
    return SyncModule(
        sync=sync,
        tasks=((SYNC_DATA, sync_handler(sync)),),
        crons=(sync_cron(),),
    )
