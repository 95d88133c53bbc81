"""HTTP about the audit log."""

from myapp.binding import gives_page, queries
from myapp.modules.audit.dtos import AuditQuery, AuditRecordResponse
from myapp.modules.audit.usecases import AuditLogUsecase
from myapp.response import Page


class AuditController:
    def __init__(self, log: AuditLogUsecase) -> None:
        self._log = log

    @queries(AuditQuery)
    @gives_page(AuditRecordResponse)
    async def list_audit_records(self, query: AuditQuery) -> Page[AuditRecordResponse]:
        """The audit log.

        Every change that an administrator, a service or somebody at a terminal made within a year,
        the newest first. The filters are exact.
        """
        found = await self._log.find(query)
        return Page[AuditRecordResponse](
            items=[AuditRecordResponse.of(record) for record in found.rows],
            page=query.page,
            per_page=query.per_page,
            total=found.total,
        )
