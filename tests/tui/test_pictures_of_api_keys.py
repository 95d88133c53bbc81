"""What the view of API keys looks like."""

from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from myapp.audit import Actor
from myapp.database.api_key import ApiKey, Scope
from myapp.database.audit import ActorType, AuditRecord
from myapp.database.paging import Rows
from myapp.modules import api_key, audit
from myapp.modules.api_key import ApiKeyModule
from myapp.modules.api_key.dtos import ApiKeyQuery, KeyRotation
from myapp.modules.api_key.usecases import Issued
from myapp.modules.audit import AuditModule
from myapp.modules.audit.dtos import AuditQuery
from myapp.tui.app import Dashboard
from myapp.tui.dialogs import Confirm
from myapp.tui.paged_table import PagedTable
from myapp.tui.views.api_keys import ApiKeysView
from tests.tui.conftest import Operator, drawn
from tests.tui.pictures import NOW, SIZES, Compare, dashboard_over, play

TEXT = "myapp_4fJ0xQ8sK201_9vWq3nZpR7tL1yXcE5uHsD8kM2bJ6gA4fTiN0oPqrV1wS3xC"


def key_of(number: int, name: str, *scopes: Scope, **fields: Any) -> ApiKey:
    created = NOW - timedelta(days=number * number + 1)
    return ApiKey(
        **{
            "id": UUID(int=(0x0198C5A0 << 96) + (7 << 76) + (1 << 63) + number),
            "public_id": f"4fJ0xQ8sK2{number:02}",
            "name": name,
            "scopes": sorted(scopes),
            "secret_hash": "",
            "former_secrets": [],
            "created_at": created,
            "updated_at": created,
            "last_used_at": NOW - timedelta(minutes=3 * number + 1),
            **fields,
        }
    )


KEYS = [
    key_of(0, "mailer", Scope.NOTIFICATIONS_SEND, last_used_at=None),
    key_of(
        1,
        "billing",
        Scope.ACCOUNTS_READ,
        Scope.METRICS_READ,
        former_secrets=[["", (NOW + timedelta(minutes=7)).timestamp()]],
    ),
    key_of(2, "prometheus", Scope.METRICS_READ, expires_at=NOW + timedelta(days=3645)),
    key_of(3, "game server of the north", *Scope, expires_at=NOW + timedelta(days=5)),
    key_of(4, "old importer", Scope.ACCOUNTS_WRITE, expires_at=NOW - timedelta(days=2)),
    key_of(5, "leaked", Scope.EVENTS_PUBLISH, revoked_at=NOW - timedelta(hours=6)),
]
RECORDS = [
    AuditRecord(
        actor_type=ActorType.TUI,
        actor_id="ops",
        action="api_key.rotated",
        after={"overlap_seconds": 600},
        created_at=NOW - timedelta(minutes=3),
    ),
    AuditRecord(
        actor_type=ActorType.CLI,
        actor_id="ops",
        action="api_key.created",
        after={"name": "billing", "scopes": ["accounts:read", "metrics:read"]},
        created_at=NOW - timedelta(days=2),
    ),
]


class FakeKeys:
    """The part of ApiKeyUsecase that the pictures need."""

    async def find(self, query: ApiKeyQuery) -> Rows[ApiKey]:
        return Rows(KEYS if query.page == 1 else [], len(KEYS))

    async def get(self, key_id: UUID) -> ApiKey:
        return next(key for key in KEYS if key.id == key_id)

    async def rotate(self, key_id: UUID, _rotation: KeyRotation, _actor: Actor) -> Issued:
        return Issued(await self.get(key_id), TEXT)


class FakeLog:
    """The part of AuditLogUsecase that is read."""

    async def find(self, _query: AuditQuery) -> Rows[AuditRecord]:
        return Rows(RECORDS, len(RECORDS))


def dashboard(**options: Any) -> Dashboard:
    keys = ApiKeyModule(keys=cast("Any", None), administration=cast("Any", FakeKeys()))
    log = AuditModule(log=cast("Any", FakeLog()))
    return dashboard_over([(api_key, keys), (audit, log)], ApiKeysView, **options)


def ready(operator: Operator) -> bool:
    return operator.status == "6 API keys"


def is_filled_in(operator: Operator) -> bool:
    """Whether the form has the focus in its second field."""
    fields = operator.app.screen.query(Input)
    return len(fields) > 1 and fields[1].has_focus


def has_faults(operator: Operator) -> bool:
    """Whether the form shows what is wrong, with the cursor there."""
    return is_filled_in(operator) and any(operator.faults)


def can_be_answered(operator: Operator) -> bool:
    return isinstance(operator.app.screen, Confirm) and operator.app.screen.is_readable


@pytest.mark.parametrize("size", SIZES, ids=str)
class TestApiKeys:
    def test_list(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        played = play("j", ready=ready, until=lambda operator: table(operator).cursor == 1)
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)

    def test_detail(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        played = play(
            "j",
            "enter",
            ready=ready,
            until=lambda operator: "Newest" in drawn(operator.app.view),
        )
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)

    def test_form(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        played = play("n", *"billing", "enter", ready=ready, until=is_filled_in)
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)

    def test_form_with_faults(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        typed = (*"billing", "enter", *"all", "enter", *"soon", "enter")
        played = play("n", *typed, ready=ready, until=has_faults)
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)

    def test_secret(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        asking = play("j", "R", ready=ready, until=can_be_answered)
        answering = play(
            "y",
            ready=can_be_answered,
            until=lambda operator: "shown" in drawn(operator.app.screen),
        )

        async def played(pilot: Pilot[None]) -> None:
            await asking(pilot)
            await answering(pilot)

        assert snap_compare(dashboard(), terminal_size=size, run_before=played)


def table(operator: Operator) -> PagedTable:
    return operator.app.view.query(PagedTable).last()
