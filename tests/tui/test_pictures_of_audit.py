"""What the view of the audit log looks like."""

from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from myapp.database.audit import ActorType, AuditRecord
from myapp.database.paging import Rows
from myapp.modules import audit
from myapp.modules.audit import AuditModule
from myapp.modules.audit.dtos import AuditQuery
from myapp.modules.audit.usecases import AuditLogUsecase
from myapp.tui.app import Dashboard
from myapp.tui.views.audit import AuditView
from tests.tui.conftest import Operator, drawn
from tests.tui.pictures import NOW, SIZES, Compare, dashboard_over, play

ROOT = "0198c5a0-7d0e-7c3a-9a53-5b1d2f6c8e02"
ADA = "0198c5a0-91bb-7c3a-8a53-0f1d2f6c8e01"
BOB = "0198c59f-77d0-7e6f-a1b2-9c8d7e6f5a4b"
MAILER = "0198c5a1-40f2-7b1c-8e5d-d0a6c2b91f77"
ACTIVE, SUSPENDED, QUEUED = {"status": "active"}, {"status": "suspended"}, {"status": "queued"}
READS = {"expires_at": None, "scopes": ["accounts:read", "metrics:read"]}
WRITES = {"expires_at": "2026-04-01T00:00:00Z", "scopes": ["accounts:read", "accounts:write"]}

# What was done: by whom, to what, and the change.
DEEDS: list[tuple[str, ActorType, str | None, str, str, Any, Any]] = [
    ("api_key.changed", ActorType.USER, ROOT, "api_key", MAILER, READS, WRITES),
    ("user.suspended", ActorType.USER, ROOT, "user", ADA, ACTIVE, SUSPENDED),
    ("job.retried", ActorType.TUI, "ada", "job", "nightly", {"status": "failed"}, QUEUED),
    ("queue.paused", ActorType.TUI, "ada", "queue", "low", {"paused": False}, {"paused": True}),
    ("event.sent", ActorType.USER, ROOT, "everybody", "everybody", None, {"type": "sale.began"}),
    ("user.suspended", ActorType.SYSTEM, None, "user", BOB, ACTIVE, SUSPENDED),
    ("job.bulk_deleted", ActorType.CLI, "root", "job", "*", None, {"matched": 1234}),
]


def record_of(number: int) -> AuditRecord:
    action, actor_type, actor_id, target_type, target_id, before, after = DEEDS[number % len(DEEDS)]
    is_http = actor_type is ActorType.USER
    return AuditRecord(
        id=UUID(int=number + 1),
        created_at=NOW - timedelta(minutes=number * number * 3, seconds=4),
        actor_type=actor_type,
        actor_id=actor_id,
        action=action,
        target_type=target_type,
        target_id=target_id,
        before=before,
        after=after,
        request_id="b1c5d2f04a9e4c6f8a7b3d1e5f902c64" if is_http else None,
        address="203.0.113.7" if is_http else None,
    )


RECORDS = [record_of(number) for number in range(60)]


class FakeLog:
    """The AuditLogUsecase over what is above."""

    async def find(self, query: AuditQuery) -> Rows[AuditRecord]:
        start = (query.page - 1) * query.per_page
        return Rows(RECORDS[start : start + query.per_page], len(RECORDS))

    async def get(self, record_id: UUID) -> AuditRecord:
        return RECORDS[record_id.int - 1]


def dashboard() -> Dashboard:
    module = AuditModule(log=cast("AuditLogUsecase", FakeLog()))
    return dashboard_over([(audit, module)], AuditView)


def ready(operator: Operator) -> bool:
    return operator.status == "60 records"


@pytest.mark.parametrize("size", SIZES, ids=str)
class TestAudit:
    def test_list(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        played = play(
            "j", ready=ready, until=lambda operator: "job.retried" in drawn(operator.app.view)
        )
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)

    def test_detail(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        played = play(
            "enter",
            ready=ready,
            until=lambda operator: (
                "accounts:write" in drawn(operator.app.view)
                and "Change" in drawn(operator.app.view)
            ),
        )
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)


def test_in_sixteen_colours(snap_compare: Compare) -> None:
    app = dashboard()
    app.theme = "myapp-16"
    played = play("enter", ready=ready, until=lambda it: "accounts:write" in drawn(it.app.view))
    assert snap_compare(app, terminal_size=SIZES[0], run_before=played)
