"""The audit log: who changed what, and how."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from rich.console import Group, RenderableType
from rich.text import Text

from myapp.database.audit import ActorType, AuditRecord
from myapp.errors import Invalid
from myapp.modules.audit import AuditModule
from myapp.modules.audit.dtos import AuditQuery
from myapp.modules.audit.usecases import AuditLogUsecase
from myapp.tui.actions import Link
from myapp.tui.columns import Column
from myapp.tui.differences import difference
from myapp.tui.table_view import Detail, TableView
from myapp.tui.window import Found
from myapp.tui.wording import Cell, ago, as_json, facts, listing, moment, section
from myapp.validation import refusal

ALL_JOBS = "*"  # the target of what was done to all jobs that match a filter


def target_if(kind: str) -> Callable[[AuditRecord], str | None]:
    """The target's id, where it is of this kind."""
    return lambda record: record.target_id if record.target_type == kind else None


def user_who_acted(record: AuditRecord) -> str | None:
    return record.actor_id if record.actor_type is ActorType.USER else None


def jobs_meant(record: AuditRecord) -> str | None:
    """A filter of the view of jobs."""
    if record.target_type == "queue":
        return f"queue:{record.target_id}"
    is_one = record.target_type == "job" and record.target_id != ALL_JOBS
    return record.target_id if is_one else None


def all_of_actor(record: AuditRecord) -> str | None:
    return f"actor_id:{record.actor_id}" if record.actor_id else None


class AuditView(TableView[AuditRecord]):
    """Every change within a year, the newest first."""

    NAME = "audit"
    TITLE = "Audit"
    KEY = "8"
    NOUN = ("record", "records")
    NOTES = (
        "/ takes action:NAME, actor_id:ID and target_id:ID, each exactly: action:user.suspended."
        " Enter shows what changed. Nothing here can be changed, nor forged from here."
    )
    FIELDS = ("action", "actor_id", "target_id")
    COLUMNS = (
        Column("Ago", 5, right=True),
        Column("When", 20, from_width=110),
        Column("Action", 18),
        Column("By"),
        Column("Target"),
        Column("Change", from_width=110),
    )
    LINKS = (
        Link[AuditRecord](key="u", name="Target user", view="users", filter=target_if("user")),
        Link[AuditRecord](
            key="e", name="Target user's events", view="events", filter=target_if("user")
        ),
        Link[AuditRecord](key="i", name="Target job or queue", view="jobs", filter=jobs_meant),
        Link[AuditRecord](
            key="s", name="Target API key", view="api_keys", filter=target_if("api_key")
        ),
        Link[AuditRecord](key="c", name="Target cron", view="crons", filter=target_if("cron")),
        Link[AuditRecord](
            key="o",
            name="Same request's jobs",
            view="jobs",
            filter=lambda record: record.request_id,
        ),
        Link[AuditRecord](key="w", name="User who did it", view="users", filter=user_who_acted),
        Link[AuditRecord](key="b", name="All by the same", view="audit", filter=all_of_actor),
        Link[AuditRecord](
            key="a",
            name="All on the same target",
            view="audit",
            filter=lambda record: f"target_id:{record.target_id}",
        ),
    )

    async def load(self, page: int, per_page: int) -> Found[AuditRecord]:
        found = await self._log.find(self._query(page=page, per_page=per_page))
        return Found(found.rows, found.total)

    def _query(self, **page: int) -> AuditQuery:
        if self.filter.text:
            fields = ", ".join(f"{name}:…" for name in self.FIELDS)
            raise Invalid(f"The audit log is searched by {fields}")
        values: dict[str, Any] = {**self.filter.fields, **page}
        try:
            return AuditQuery(**values)
        except ValidationError as error:
            raise refusal(error, "This filter finds nothing") from None

    @property
    def _log(self) -> AuditLogUsecase:
        return self.desk.features.get(AuditModule).log

    def key_of(self, row: AuditRecord) -> str:
        return str(row.id)

    def name_of(self, row: AuditRecord) -> str:
        return f"{row.action} {row.target_id}"

    def cells(self, row: AuditRecord) -> Sequence[Cell]:
        return (
            ago(row.created_at, self.desk.now()),
            moment(row.created_at),
            row.action,
            who_of(row),
            target_of(row),
            summary(row),
        )

    async def describe(self, key: str) -> Detail[AuditRecord]:
        record = await self._log.get(UUID(key))
        return Detail(record, body_of(record))


def who_of(record: AuditRecord) -> str:
    return f"{record.actor_type} {record.actor_id or ''}".strip()


def newest_records(records: Sequence[AuditRecord], now: datetime) -> Iterator[RenderableType]:
    """A section for the detail of their target, unless there are none."""
    if records:
        rows = [
            (ago(one.created_at, now), one.action, who_of(one), summary(one)) for one in records
        ]
        yield section("Newest audit records", listing(("Ago", "Action", "By", "Change"), rows))


def target_of(record: AuditRecord) -> str:
    """Everybody is a type of its own, of which there is one."""
    kind, name = record.target_type, record.target_id
    return kind if kind == name else f"{kind} {name}"


def summary(record: AuditRecord) -> str:
    """The change on one line: `status: active → suspended`."""
    before, after = record.before or {}, record.after or {}
    return ", ".join(
        f"{name}: {' → '.join(short(side[name]) for side in (before, after) if name in side)}"
        for name in {**before, **after}
    )


def short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def body_of(record: AuditRecord) -> RenderableType:
    return Group(
        facts(
            (
                ("Action", record.action),
                ("When", moment(record.created_at)),
                ("By", who_of(record)),
                ("Target", target_of(record)),
                ("Request", record.request_id or "-"),
                ("Address", record.address or "-"),
                ("Record", str(record.id)),
            )
        ),
        change_section(record),
    )


def change_section(record: AuditRecord) -> RenderableType:
    if record.before is not None and record.after is not None:
        return section("Change", difference(record.before, record.after))
    if record.before is not None:
        return section("Before", as_json(record.before))
    if record.after is not None:
        return section("After", as_json(record.after))
    return section("Change", Text("nothing that is kept here"))
