"""The view of live events."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import pytest
from textual import events
from textual.widgets import Input, Static

from myapp.database.audit import AuditRecord
from myapp.database.user import User
from myapp.enums import UserStatus
from myapp.events import Event
from myapp.modules import event
from myapp.modules.event import EventModule
from myapp.modules.event.usecases import PublishUsecase, StreamUsecase
from myapp.queue.tasks import build_registry
from myapp.registry import Features
from myapp.resources import Resources
from myapp.sse.keys import Key
from myapp.sse.watch import Told
from myapp.tui.app import VIEWS
from myapp.tui.desk import Desk
from myapp.tui.dialogs import Form
from myapp.tui.event_log import KEPT
from myapp.tui.views.events import EventsView
from tests.support.valkey import Valkey
from tests.tui.conftest import (
    Audit,
    Elsewhere,
    Jobs,
    Operator,
    Sit,
    Users,
    audited,
    drawn,
    sit_at,
)

HOSTILE = '{"n":"\\u001b[2J","\x7f\x9b2J":"[bold]"}'
VIEWS_HERE = (EventsView, Users, Jobs, Audit)
SEVERAL = 60  # more than a screen, and more than a page of the frame's


class EndlessWatch:
    """Has another event whenever it is asked, and never comes to an end."""

    is_behind = True

    def __init__(self) -> None:
        self._number = 0

    async def listen(self) -> None:
        pass

    def rest(self) -> None:
        pass

    async def read(self) -> Sequence[Told]:
        await asyncio.sleep(0.01)  # as an answer takes a moment
        self._number += 1
        kind = "test.odd" if self._number % 2 else "test.even"
        said = Event(kind, json.dumps({"number": self._number}).encode())
        return [Told(str(self._number), "", datetime.now(UTC), said)]


class EndlessStreams:
    """The part of StreamUsecase that is asked."""

    def __init__(self, source: EndlessWatch) -> None:
        self._source = source

    def watch(self, _on_news: Callable[[], None]) -> EndlessWatch:
        return self._source


def desk_over(source: EndlessWatch) -> Desk:
    module = EventModule(
        streams=cast("StreamUsecase", EndlessStreams(source)),
        publishing=cast("PublishUsecase", None),
        has_page=False,
    )
    features = Features(modules=[(event, module)], tasks=build_registry([], []))
    return Desk(features=features, connected_to="tests", refresh=3600)


async def tell(
    resources: Resources, kind: str = "test.hello", *, user: User | None = None, data: str = "{}"
) -> None:
    await resources.hub.publish(Event(kind, data.encode(), user.id if user else None))


async def tell_many(resources: Resources, many: int) -> None:
    for number in range(many):
        await tell(resources, f"test.{number}")


async def add_user(email: str = "ada@example.com", **fields: Any) -> User:
    return await User.create(email=email, email_key=email, **fields)


def view_of(operator: Operator) -> EventsView:
    return cast("EventsView", operator.app.view)


def types(operator: Operator) -> list[str]:
    return [told.event.type for told in view_of(operator).rows_in_memory()]


def shows(operator: Operator, *wanted: str) -> bool:
    return types(operator) == list(wanted)


def feed(operator: Operator) -> str:
    return str(view_of(operator).query_one(".feed", Static).content)


def current(operator: Operator) -> str:
    told = view_of(operator).current
    return told.event.type if told else ""


class TestList:
    async def test_begins_with_history_and_goes_on_with_what_happens(
        self, sit: Sit, resources: Resources
    ) -> None:
        ada = await add_user()
        await tell(resources, "test.before", user=ada, data='{"order":42}')
        async with sit(views=VIEWS_HERE) as operator:
            await operator.until(partial(shows, operator, "test.before"))
            await tell(resources, "test.after")
            await operator.until(partial(shows, operator, "test.after", "test.before"))
            assert operator.status == "2 events"
            assert feed(operator).startswith("LIVE")
            after, before = (
                line.split() for line in drawn(view_of(operator).table).splitlines()[1:3]
            )
            assert after[1:] == ["test.after", "everybody", "{}"]
            assert before[1:] == ["test.before", str(ada.id)[:13] + "…", '{"order":42}']

    async def test_shows_news_long_before_the_next_refresh(
        self, sit: Sit, resources: Resources
    ) -> None:
        async with sit(views=VIEWS_HERE, refresh=3600) as operator:
            await operator.until(lambda: operator.status == "0 events")
            for number in range(1, 4):
                await tell(resources)
                await operator.until(partial(has_many, operator, number))

    async def test_goes_on_where_it_was_after_another_view_was_shown(
        self, sit: Sit, resources: Resources
    ) -> None:
        async with sit(views=VIEWS_HERE) as operator:
            await operator.until(lambda: operator.status == "0 events")
            await operator.press("5")
            await operator.until(lambda: operator.app.view.NAME == "users")
            await tell_many(resources, 3)
            await operator.press("7")
            await operator.until(partial(shows, operator, "test.2", "test.1", "test.0"))

    async def test_keeps_the_newest_alone(self, sit: Sit, resources: Resources) -> None:
        await tell(resources, "test.first")
        async with sit(views=VIEWS_HERE) as operator:
            await operator.until(partial(shows, operator, "test.first"))
            await tell_many(resources, KEPT)
            await operator.until(lambda: types(operator)[:1] == [f"test.{KEPT - 1}"])
            assert operator.status == f"{KEPT:,} events"
            assert "test.first" not in types(operator)

    async def test_keeps_the_cursor_on_its_event_but_for_the_first_line(
        self, sit: Sit, resources: Resources
    ) -> None:
        await tell(resources, "test.old")
        await tell(resources, "test.new")
        async with sit(views=VIEWS_HERE) as operator:
            await operator.until(partial(shows, operator, "test.new", "test.old"))
            await tell(resources, "test.newer")
            await operator.until(lambda: current(operator) == "test.newer")
            await operator.press("j")
            assert current(operator) == "test.new"
            await tell_many(resources, SEVERAL)
            await operator.until(lambda: has_many(operator, SEVERAL + 3))
            assert current(operator) == "test.new"
            assert "stays" in feed(operator)
            assert "test.new " in drawn(view_of(operator).table)
            await operator.press("g")
            await operator.until(lambda: current(operator) == f"test.{SEVERAL - 1}")

    async def test_has_a_key_and_a_tab_of_its_own(self, sit: Sit, resources: Resources) -> None:
        await tell(resources)
        async with sit(views=VIEWS) as operator:
            await operator.press("7")
            await operator.until(lambda: operator.status == "1 event")

    async def test_shows_what_others_wrote_without_its_control_characters(
        self, sit: Sit, resources: Resources
    ) -> None:
        await tell(resources, data=HOSTILE)
        async with sit(views=VIEWS_HERE) as operator:
            await operator.until(lambda: has_many(operator, 1))
            text = drawn(operator.app.screen)
            await operator.press("enter")
            await operator.until(lambda: "[bold]" in drawn(view_of(operator)))
            text += drawn(operator.app.screen)
            assert all(each.isprintable() or each == "\n" for each in text)


class TestSteadyFlow:
    async def test_is_shown_filtered_opened_and_frozen_as_ever(self) -> None:
        async with sit_at(desk_over(EndlessWatch()), VIEWS_HERE) as operator:
            await operator.until(lambda: len(types(operator)) > SEVERAL)
            await operator.filter("type:test.odd")
            await operator.until(lambda: set(types(operator)) == {"test.odd"})
            await operator.press("p")
            await operator.until(lambda: "PAUSED" in feed(operator) and "came" in feed(operator))
            await operator.press("enter")
            await operator.until(lambda: '"number": ' in drawn(view_of(operator)))
            await operator.press("escape", "escape", "p")
            await operator.until(lambda: {"test.odd", "test.even"} == set(types(operator)))
            assert feed(operator).startswith("LIVE")


class TestFilter:
    @pytest.mark.parametrize(
        ("typed", "found"),
        [
            ("{ada}", ["order.about", "order.paid"]),
            ("user:{ada}", ["order.paid"]),
            ("user:everybody", ["order.about", "sale.began"]),
            ("type:order.", ["order.about", "order.paid"]),
            ("type:sale.began user:every", ["sale.began"]),
            ('order":42', ["order.paid"]),  # 42 alone may be in an id
            ("nothing", []),
        ],
    )
    async def test_is_by_recipient_type_and_text(
        self, sit: Sit, resources: Resources, typed: str, found: list[str]
    ) -> None:
        ada = await add_user()
        typed = typed.format(ada=ada.id)
        await tell(resources, "sale.began")
        await tell(resources, "order.paid", user=ada, data='{"order":42}')
        await tell(resources, "order.about", data=json.dumps({"by": str(ada.id)}))
        async with sit(views=VIEWS_HERE) as operator:
            await operator.filter(typed)
            await operator.until(partial(shows, operator, *found))


class TestDetail:
    async def test_shows_all_there_is_and_stays_while_others_come(
        self, sit: Sit, resources: Resources
    ) -> None:
        ada = await add_user()
        await tell(resources, "order.paid", user=ada, data='{"order":42,"of":{"name":"Ädä"}}')
        async with sit(views=VIEWS_HERE) as operator:
            await operator.until(partial(shows, operator, "order.paid"))
            told = view_of(operator).current
            assert told
            await operator.press("enter")
            await operator.until(lambda: '"order": 42,' in drawn(view_of(operator)))
            text = drawn(view_of(operator))
            for word in ("order.paid", str(ada.id), told.id, "34 bytes", '"name": "Ädä"'):
                assert word in text
            await tell_many(resources, KEPT)
            await operator.press("r")
            assert operator.status == f"event order.paid to {ada.id}"
            await operator.press("escape")
            await operator.until(lambda: has_many(operator, KEPT))

    async def test_is_copied_as_json(self, sit: Sit, resources: Resources) -> None:
        ada = await add_user()
        await tell(resources, "order.paid", user=ada, data='{"order":42}')
        async with sit(views=VIEWS_HERE) as operator:
            await operator.until(partial(shows, operator, "order.paid"))
            await operator.press("y")
            await operator.until(lambda: operator.app.clipboard)
            copied = json.loads(operator.app.clipboard)
            assert copied.pop("id")
            assert copied == {
                "type": "order.paid",
                "user_id": str(ada.id),
                "data": {"order": 42},
            }


class TestPause:
    async def test_freezes_the_list_and_counts_what_comes(
        self, sit: Sit, resources: Resources
    ) -> None:
        await tell(resources, "test.before")
        async with sit(views=VIEWS_HERE) as operator:
            await operator.until(partial(shows, operator, "test.before"))
            await operator.press("p")
            await tell_many(resources, 3)
            await operator.until(lambda: "PAUSED  3 came meanwhile" in feed(operator))
            assert shows(operator, "test.before")
            await operator.filter("type:test.1")
            await operator.until(lambda: "PAUSED  1 came meanwhile" in feed(operator))
            assert shows(operator)
            await operator.press("p")
            await operator.until(partial(shows, operator, "test.1"))
            assert feed(operator).startswith("LIVE")

    async def test_outlasts_all_that_is_kept(self, sit: Sit, resources: Resources) -> None:
        await tell(resources, "test.before")
        async with sit(views=VIEWS_HERE, readonly=True) as operator:
            await operator.until(partial(shows, operator, "test.before"))
            await operator.press("p")
            await tell_many(resources, KEPT)
            await operator.until(lambda: f"{KEPT:,}+ came meanwhile" in feed(operator))
            assert shows(operator, "test.before")
            await operator.press("enter")
            await operator.until(lambda: view_of(operator).opened)


class TestSending:
    @staticmethod
    async def fill_in(operator: Operator, *values: str) -> None:
        """Each field of the form, from the first to the last."""
        await operator.press("n")
        await operator.until(lambda: isinstance(operator.app.screen, Form))
        for number, value in enumerate(values):
            field = list(operator.app.screen.query(Input))[number]
            await operator.until(partial(operator.has_focus, field))
            field.value = ""
            await operator.type(value)
            await operator.press("enter")

    async def test_to_one_user_names_them_and_reaches_nobody_else(
        self, sit: Sit, resources: Resources
    ) -> None:
        ada = await add_user()
        async with sit(views=VIEWS_HERE) as operator:
            await self.fill_in(operator, str(ada.id), "order.shipped", '{"order": 42}')
            question = await operator.question()
            assert question.startswith("Send order.shipped to user ada@example.com?")
            assert str(ada.id) in question
            assert await operator.confirm() == f"order.shipped is sent to {ada.id}"
            await operator.until(partial(shows, operator, "order.shipped"))
        assert await resources.redis.xlen(Key.USER % ada.id) == 1
        assert await resources.redis.xlen(Key.ALL) == 0
        assert await audited() == [("tui", "ada", "event.sent", str(ada.id))]
        assert (await AuditRecord.get()).after == {"type": "order.shipped"}

    async def test_to_an_email_is_to_who_holds_it_as_verified(self, sit: Sit) -> None:
        ada = await add_user()
        await User.create(email="Eve@example.com")
        async with sit(views=VIEWS_HERE) as operator:
            await self.fill_in(operator, "eve@example.com", "order.shipped", "{")
            await operator.until(lambda: any(operator.faults))
            to, _, data, _ = operator.faults
            assert to.startswith("eve@example.com is not verified")
            assert data.startswith("is no JSON")
            fields = list(operator.app.screen.query(Input))
            for typed in ("bob@example.com", " Ada@example.com"):
                fields[0].value, fields[2].value = typed, "{}"
                fields[2].focus()
                await operator.press("enter")
                await operator.until(partial(says_of, operator, typed))
            question = await operator.question()
            assert question.startswith("Send order.shipped to user ada@example.com?")
            assert await operator.confirm() == f"order.shipped is sent to {ada.id}"
        assert await audited() == [("tui", "ada", "event.sent", str(ada.id))]

    async def test_to_everybody_says_how_many_listen(self, sit: Sit, resources: Resources) -> None:
        async with sit(views=VIEWS_HERE) as operator:
            await self.fill_in(operator, "", "sale.began", "{}")
            question = await operator.question()
            assert question.startswith("Send sale.began to everybody?\n\n0 streams are open now")
            assert await operator.confirm() == "sale.began is sent to everybody"
            await operator.until(partial(shows, operator, "sale.began"))
        assert await audited() == [("tui", "ada", "event.sent", "everybody")]

    async def test_to_somebody_suspended_says_so(self, sit: Sit) -> None:
        ada = await add_user(status=UserStatus.SUSPENDED)
        async with sit(views=VIEWS_HERE) as operator:
            await self.fill_in(operator, str(ada.id), "order.shipped", "{}")
            assert "ada@example.com, who is suspended?" in await operator.question()

    @pytest.mark.parametrize(
        ("values", "place", "said"),
        [
            (("me", "a", "{}"), 0, "is no UUID"),
            (("0198c5a0-7d0e-7c3a-9a53-5b1d2f6c8e01", "a", "{}"), 0, "There is no such user"),
            (("", "A b", "{}"), 1, "is not 1 to 64 of a-z"),
            (("", "resync", "{}"), 1, "is sent by the system alone"),
            (("", "a", "{"), 2, "is no JSON: Expecting property name"),
            (("", "a", "[]"), 2, "is no object"),
            (("", "a", '{"n": NaN}'), 2, "has a number that JSON does not know"),
        ],
    )
    async def test_of_what_makes_no_sense_is_refused_before_it_is_asked_about(
        self, sit: Sit, values: tuple[str, str, str], place: int, said: str
    ) -> None:
        async with sit(views=VIEWS_HERE) as operator:
            await self.fill_in(operator, *values)
            await operator.until(lambda: operator.faults[place])
            assert operator.faults[place].startswith(said)
            fields = list(operator.app.screen.query(Input))
            assert tuple(field.value for field in fields) == values
            await operator.until(partial(operator.has_focus, fields[place]))
        assert await audited() == []

    async def test_takes_a_text_of_several_lines_for_one(self, sit: Sit) -> None:
        async with sit(views=VIEWS_HERE) as operator:
            await self.fill_in(operator, "", "order.shipped")
            data = list(operator.app.screen.query(Input))[-1]
            await operator.until(partial(operator.has_focus, data))
            data.value = ""
            data.post_message(events.Paste('{\n  "order": 42\n}'))
            await operator.until(lambda: data.value == '{   "order": 42 }')

    async def test_takes_what_is_typed_at_once_field_by_field(self, sit: Sit) -> None:
        async with sit(views=VIEWS_HERE) as operator:
            await operator.press("n")
            await operator.until(lambda: isinstance(operator.app.focused, Input))
            for key in (*"me", "enter", *"order.paid", "enter"):
                operator.app.post_message(events.Key(key, key if len(key) == 1 else None))
            fields = list(operator.app.screen.query(Input))
            await operator.until(partial(operator.has_focus, fields[2]))
            assert [field.value for field in fields] == ["me", "order.paid", "{}"]
            operator.app.post_message(events.Key("7", "7"))
            await operator.until(lambda: fields[2].value == "7")

    async def test_is_forbidden_while_reading_only(self, sit: Sit, resources: Resources) -> None:
        async with sit(views=VIEWS_HERE, readonly=True) as operator:
            await operator.until(lambda: operator.status == "0 events")
            await operator.press("n")
            await operator.until(lambda: operator.notices)
            assert "--readonly" in operator.notices[0]
            assert not isinstance(operator.app.screen, Form)


class TestLinks:
    @pytest.mark.parametrize(
        ("key", "view", "wanted"),
        [("u", "users", "{ada}"), ("o", "jobs", "{ada}"), ("a", "audit", "target_id:{ada}")],
    )
    async def test_lead_elsewhere_and_back(
        self, sit: Sit, resources: Resources, key: str, view: str, wanted: str
    ) -> None:
        ada = await add_user()
        await tell(resources, user=ada)
        async with sit(views=VIEWS_HERE) as operator:
            await operator.until(lambda: has_many(operator, 1))
            await operator.press(key)
            await operator.until(lambda: view == operator.app.view.NAME)
            place = cast("Elsewhere", operator.app.view).place
            assert place.filter == wanted.format(ada=ada.id)
            await operator.press("escape")
            await operator.until(lambda: operator.app.view.NAME == "events")

    @pytest.mark.parametrize(("key", "typed"), [("e", "user:everybody"), ("i", "type:test.hello")])
    async def test_show_what_else_is_alike(
        self, sit: Sit, resources: Resources, key: str, typed: str
    ) -> None:
        await tell(resources, "test.other", user=await add_user())
        await tell(resources)
        async with sit(views=VIEWS_HERE) as operator:
            await operator.until(lambda: has_many(operator, 2))
            await operator.press(key)
            await operator.until(lambda: operator.status == f"1 event · filter: {typed}")

    @pytest.mark.parametrize("key", ["u", "o", "a"])
    async def test_to_a_user_lead_nowhere_from_everybody(
        self, sit: Sit, resources: Resources, key: str
    ) -> None:
        await tell(resources)
        async with sit(views=VIEWS_HERE) as operator:
            await operator.until(lambda: has_many(operator, 1))
            await operator.press(key)
            await operator.until(lambda: operator.notices)
            assert operator.notices[0].endswith("there is none for this event")


class TestOutage:
    @pytest.fixture
    def redis_url(self, own_valkey: Valkey) -> str:
        return own_valkey.url

    async def test_is_said_and_what_is_here_can_still_be_read(
        self, sit: Sit, resources: Resources, own_valkey: Valkey
    ) -> None:
        await tell_many(resources, 3)
        async with sit(views=VIEWS_HERE) as operator:
            await operator.until(lambda: has_many(operator, 3))
            own_valkey.kill()
            await operator.until(lambda: operator.banner.startswith("Redis does not answer"))
            assert feed(operator).startswith("NOT LIVE")
            await operator.filter("type:test.1")
            await operator.until(partial(shows, operator, "test.1"))
            await operator.press("enter")
            await operator.until(lambda: view_of(operator).opened)
            await operator.press("escape")
            await operator.filter("type:test.")
            own_valkey.start()
            await operator.until(lambda: not operator.banner)
            await operator.until(lambda: resources.bus.connected)
            await tell(resources, "test.after")
            await operator.until(lambda: "test.after" in types(operator))
            assert types(operator) == ["test.after", "resync", "test.2", "test.1", "test.0"]
            assert "some are missing here" in drawn(view_of(operator))
            await operator.press("j", "enter")
            await operator.until(lambda: "history does not reach" in drawn(view_of(operator)))
            assert feed(operator).startswith("LIVE")


def says_of(operator: Operator, email: str) -> bool:
    """Whether the form says that it is nobody's, or the question that it is somebody's."""
    if isinstance(operator.app.screen, Form):
        return f"No user has the email {email}" in operator.faults
    return bool(operator.app.screen.query("#question"))


def has_many(operator: Operator, number: int) -> bool:
    return len(types(operator)) == number
