"""The view of the audit log."""

from functools import partial
from typing import Any, cast

import pytest

from myapp.audit import SYSTEM, Actor, record_change
from myapp.database.audit import ActorType
from myapp.tui.app import VIEWS
from myapp.tui.views.audit import AuditView
from myapp.tui.window import PAGE_ROWS
from tests.tui.conftest import (
    ACTOR,
    ApiKeys,
    Crons,
    Elsewhere,
    Events,
    Jobs,
    Operator,
    Sit,
    Users,
    drawn,
)

ADA = "0198c5a0-7d0e-7c3a-9a53-5b1d2f6c8e01"
ROOT = "0198c5a0-7d0e-7c3a-9a53-5b1d2f6c8e02"
ADMIN = Actor(ActorType.USER, ROOT, address="203.0.113.7", request_id="req-1")
HOSTILE = "\x1b[31mred\x9b2J\x07[bold]\n"
VIEWS_HERE = (AuditView, Users, ApiKeys, Jobs, Crons, Events)


async def add(
    action: str = "thing.made",
    *,
    actor: Actor = SYSTEM,
    target: tuple[str, str] = ("thing", "t"),
    **change: Any,
) -> None:
    kind, name = target
    await record_change(actor, action, target_type=kind, target_id=name, **change)


def view_of(operator: Operator) -> AuditView:
    return cast("AuditView", operator.app.view)


def shows(operator: Operator, *wanted: str) -> bool:
    return [record.action for record in view_of(operator).rows_in_memory()] == list(wanted)


async def opened(operator: Operator, *words: str) -> str:
    """What Enter opens, as it is drawn once these words are there."""
    await operator.press("enter")
    await operator.until(lambda: all(word in drawn(view_of(operator)) for word in words))
    return drawn(view_of(operator))


class TestList:
    async def test_shows_the_newest_first_and_how_many_there_are(self, sit: Sit) -> None:
        await add("thing.made")
        await add("user.suspended", actor=ACTOR, target=("user", ADA))
        async with sit(views=VIEWS_HERE) as operator:
            await operator.until(partial(shows, operator, "user.suspended", "thing.made"))
            assert operator.status == "2 records"
            _, *words = drawn(view_of(operator)).splitlines()[1].split()
            assert words[:4] == ["user.suspended", "tui", "ada", "user"]
            assert words[4].startswith(ADA[:18])

    async def test_is_read_page_by_page(self, sit: Sit) -> None:
        for number in range(PAGE_ROWS + 2):
            await add(f"thing.{number}")
        async with sit(views=VIEWS_HERE) as operator:
            await operator.until(lambda: operator.status == f"{PAGE_ROWS + 2} records")
            await operator.press("G")
            await operator.until(lambda: "thing.0" in drawn(view_of(operator)))

    async def test_keeps_the_cursor_on_its_record_while_new_ones_come(self, sit: Sit) -> None:
        await add("thing.made")
        async with sit(views=VIEWS_HERE) as operator:
            await operator.until(partial(shows, operator, "thing.made"))
            await operator.press("j")
            for number in range(PAGE_ROWS):
                await add(f"thing.{number}")
            await operator.until(lambda: operator.status == f"{PAGE_ROWS + 1} records")
            record = view_of(operator).current
            assert record
            assert record.action == "thing.made"

    async def test_has_a_key_and_a_tab_of_its_own(self, sit: Sit) -> None:
        await add()
        async with sit(views=VIEWS) as operator:
            await operator.press("8")
            await operator.until(lambda: operator.status == "1 record")


class TestFilter:
    @pytest.mark.parametrize(
        ("typed", "found"),
        [
            ("action:user.suspended", ["user.suspended"]),
            (f"target_id:{ADA}", ["user.restored", "user.suspended"]),
            ("actor_id:ada", ["user.restored"]),
            (f"target_id:{ADA} actor_id:ada", ["user.restored"]),
            ("action:user", []),
        ],
    )
    async def test_is_exact_by_field(self, sit: Sit, typed: str, found: list[str]) -> None:
        await add()
        await add("user.suspended", actor=ADMIN, target=("user", ADA))
        await add("user.restored", actor=ACTOR, target=("user", ADA))
        async with sit(views=VIEWS_HERE) as operator:
            await operator.filter(typed)
            await operator.until(partial(shows, operator, *found))
            assert operator.status.endswith(f"filter: {typed}")

    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            ("suspended", "The audit log is searched by action:…, actor_id:…, target_id:…"),
            ("action:" + "x" * 65, "action has more than 64 characters"),
        ],
    )
    async def test_that_makes_no_sense_is_explained(self, sit: Sit, typed: str, said: str) -> None:
        async with sit(views=VIEWS_HERE) as operator:
            await operator.filter(typed)
            await operator.until(lambda: said in operator.status)


class TestDetail:
    async def test_shows_all_there_is_and_the_change_line_by_line(self, sit: Sit) -> None:
        await add(
            "user.suspended",
            actor=ADMIN,
            target=("user", ADA),
            before={"status": "active", "scopes": ["a", "b"]},
            after={"status": "suspended", "scopes": ["a", "c"]},
        )
        async with sit(views=VIEWS_HERE) as operator:
            await operator.until(partial(shows, operator, "user.suspended"))
            text = await opened(operator, "req-1", "203.0.113.7", f"user {ADA}", f"user {ROOT}")
            lines = [line.rstrip() for line in text.splitlines()]
            for line in (
                ' -   "status": "active",',
                ' +   "status": "suspended",',
                '       "a",',
                ' -     "b"',
                ' +     "c"',
            ):
                assert line in lines
            assert operator.status == f"record user.suspended {ADA}"
            await operator.press("escape")
            await operator.until(lambda: view_of(operator).opened is None)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"after": {"type": "order"}}, ["After", '"type": "order"']),
            ({"before": {"status": "failed"}}, ["Before", '"status": "failed"']),
            ({}, ["Change", "nothing that is kept here"]),
        ],
    )
    async def test_of_one_side_alone_shows_that(
        self, sit: Sit, change: dict[str, Any], said: list[str]
    ) -> None:
        await add(**change)
        async with sit(views=VIEWS_HERE) as operator:
            await operator.until(partial(shows, operator, "thing.made"))
            await opened(operator, *said)

    async def test_shows_what_others_wrote_without_its_control_characters(self, sit: Sit) -> None:
        await add(
            HOSTILE[:20],
            actor=Actor(ActorType.CLI, HOSTILE, address=HOSTILE, request_id=HOSTILE),
            target=(HOSTILE, HOSTILE),
            before={HOSTILE: HOSTILE, "n": 1},
            after={HOSTILE: [HOSTILE], "n": 1},
        )
        async with sit(views=VIEWS_HERE) as operator:
            await operator.until(lambda: operator.status == "1 record")
            text = drawn(operator.app.screen) + await opened(operator, "[bold]", "Change")
            assert all(each.isprintable() or each == "\n" for each in text)


class TestLinks:
    @pytest.mark.parametrize(
        ("key", "target", "view", "wanted"),
        [
            ("u", ("user", ADA), "users", ADA),
            ("e", ("user", ADA), "events", ADA),
            ("i", ("job", "job-1"), "jobs", "job-1"),
            ("i", ("queue", "low"), "jobs", "queue:low"),
            ("s", ("api_key", ROOT), "api_keys", ROOT),
            ("c", ("cron", "cleanup:expired"), "crons", "cleanup:expired"),
            ("o", ("user", ADA), "jobs", "req-1"),
            ("w", ("job", "job-1"), "users", ROOT),
        ],
    )
    async def test_lead_elsewhere_and_back(
        self, sit: Sit, key: str, target: tuple[str, str], view: str, wanted: str
    ) -> None:
        await add(actor=ADMIN, target=target)
        async with sit(views=VIEWS_HERE) as operator:
            await operator.until(lambda: operator.status == "1 record")
            await operator.press(key)
            await operator.until(lambda: view == operator.app.view.NAME)
            assert cast("Elsewhere", operator.app.view).place.filter == wanted
            await operator.press("escape")
            await operator.until(lambda: operator.app.view.NAME == "audit")

    @pytest.mark.parametrize(
        ("key", "typed"), [("b", f"actor_id:{ROOT}"), ("a", f"target_id:{ADA}")]
    )
    async def test_show_what_else_the_same_did_or_suffered(
        self, sit: Sit, key: str, typed: str
    ) -> None:
        await add()
        await add(actor=ADMIN, target=("user", ADA))
        async with sit(views=VIEWS_HERE) as operator:
            await operator.until(lambda: operator.status == "2 records")
            await operator.press("enter")
            await operator.until(lambda: view_of(operator).opened)
            await operator.press(key)
            await operator.until(lambda: operator.status == f"1 record · filter: {typed}")
            await operator.press("escape")
            await operator.until(lambda: view_of(operator).opened)

    @pytest.mark.parametrize("key", ["u", "e", "i", "s", "c", "o", "w", "b"])
    async def test_that_lead_nowhere_say_so(self, sit: Sit, key: str) -> None:
        await add(target=("job", "*"))
        async with sit(views=VIEWS_HERE) as operator:
            await operator.until(lambda: operator.status == "1 record")
            await operator.press(key)
            await operator.until(lambda: operator.notices)
            assert operator.notices[0].endswith("there is none for this record")


async def test_reading_only_shows_it_all_the_same(sit: Sit) -> None:
    await add()
    async with sit(views=VIEWS_HERE, readonly=True) as operator:
        await operator.until(partial(shows, operator, "thing.made"))
        await opened(operator, "thing.made")
