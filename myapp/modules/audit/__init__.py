"""The audit log: who changed what."""

from dataclasses import dataclass

from myapp.module import Module
from myapp.modules.audit.usecases import AuditLogUsecase
from myapp.resources import Resources


@dataclass(frozen=True, kw_only=True)
class AuditModule(Module):
    log: AuditLogUsecase


def init(_resources: Resources) -> AuditModule:
    """Builds the reading of the log; the hourly clean-up purges what is over a year old."""
    usecase = AuditLogUsecase()
    return AuditModule(log=usecase, cleanups={"audit": usecase.purge})
