"""Reading the audit log, and its end."""

from datetime import UTC, datetime
from uuid import UUID

from myapp.database.audit import KEPT, AuditRecord
from myapp.database.paging import Counts, Rows, read_page
from myapp.errors import NotFound
from myapp.modules.audit.dtos import AuditQuery

FILTERS = ("actor_id", "action", "target_id")
PURGE_BATCH = 5_000  # rows in one statement, which holds SQLite's one write lock


class AuditLogUsecase:
    """The log, for administrators."""

    def __init__(self) -> None:
        self._counts = Counts()

    async def find(self, query: AuditQuery) -> Rows[AuditRecord]:
        """One page of the records that match, the newest first."""
        wanted = {name: getattr(query, name) for name in FILTERS if getattr(query, name)}
        return await read_page(
            AuditRecord.filter(**wanted),
            sort="-id",
            page=query.page,
            per_page=query.per_page,
            counts=self._counts,
        )

    async def get(self, record_id: UUID) -> AuditRecord:
        """One record. Raises NotFound."""
        record = await AuditRecord.get_or_none(id=record_id)
        if record is None:
            raise NotFound("There is no such record")
        return record

    async def purge(self) -> int:
        """Removes the records that are over a year old; returns how many."""
        old = AuditRecord.filter(created_at__lt=datetime.now(UTC) - KEPT)
        purged = 0
        while ids := await old.limit(PURGE_BATCH).values_list("id", flat=True):
            purged += await AuditRecord.filter(id__in=ids).delete()
        return purged
