"""What every list does, over a source that counts what it is asked for."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

import pytest
from rich.text import Text
from textual import events
from textual.command import CommandPalette
from textual.widgets import Input

from myapp.audit import Actor
from myapp.errors import Conflict, FieldError, Invalid, NotFound, Unavailable
from myapp.queue.admin_bulk import BulkProgress
from myapp.queue.tasks import build_registry
from myapp.registry import Features
from myapp.tui.actions import Action, Bulk, Field, FormAction, Link, Secret
from myapp.tui.columns import Column
from myapp.tui.desk import Desk
from myapp.tui.dialogs import Confirm, Form, ShowSecret
from myapp.tui.filters import Filter
from myapp.tui.table_view import Detail, TableView
from myapp.tui.window import PAGE_ROWS, Found
from tests.tui.conftest import ACTOR, Operator, drawn, sit_at

MANY = 100_000


class Source:
    """The rows, and what became of them."""

    def __init__(self, rows: Sequence[str]) -> None:
        self.rows = list(rows)
        self.pages: list[int] = []
        self.stamped: list[str] = []
        self.is_waited_for = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.may_be_read = asyncio.Event()
        self.may_be_read.set()

    def erase(self, rows: Sequence[str]) -> None:
        self.rows = [row for row in self.rows if row not in rows]


async def stamp(features: Features, row: str, actor: Actor) -> None:
    assert actor == ACTOR
    if row == "stuck":
        raise Conflict("It is stuck")
    if row == "away":
        raise Unavailable("It is away")
    source = cast("FakeFeatures", features).source
    if row == "slow":
        source.is_waited_for.set()
        await source.may_go_on.wait()
    source.stamped.append(row)


async def settle(features: Features, chosen: Filter) -> Sequence[str]:
    source = cast("FakeFeatures", features).source
    await source.may_be_read.wait()
    return [row for row in source.rows if chosen.text in row]


async def count_left(features: Features, rows: Sequence[str]) -> int:
    source = cast("FakeFeatures", features).source
    return sum(row in source.rows for row in rows)


async def erase_all(
    features: Features, rows: Sequence[str], matched: int, actor: Actor
) -> BulkProgress:
    """Stops half-way until it may go on, and for good before a row that is called late."""
    assert actor == ACTOR
    assert matched == len(rows)
    source = cast("FakeFeatures", features).source
    source.erase(rows[: len(rows) // 2])
    await source.may_go_on.wait()
    finished = "late" not in rows
    left = sum(row in source.rows and row != "late" for row in rows)
    source.erase([row for row in rows if row != "late"])
    return BulkProgress(len(rows) // 2 + left, finished)


async def read_name(features: Features, values: Mapping[str, str]) -> Mapping[str, str]:
    await cast("FakeFeatures", features).source.may_be_read.wait()
    if not values["text"]:
        raise Invalid("A name is needed")
    return values


async def ask_to_make(_features: Features, values: Mapping[str, str]) -> str:
    return f"Make {values['text']}?"


async def make(_features: Features, values: Mapping[str, str], _actor: Actor) -> Secret:
    if values["text"] == "taken":
        faults = (("text", "is taken"), ("colour", "is missing"), ("size", "is odd"))
        more = FieldError("text", "is short")
        raise Invalid(details=[*(FieldError(*fault) for fault in faults), more])
    return Secret("Shown once", f"made of {values}")


class FakeFeatures(Features):
    """No features at all, but a source for the tests' own views."""

    __slots__ = ("source",)
    source: Source


class NamesView(TableView[str]):
    NAME = "names"
    TITLE = "Names"
    KEY = "1"
    NOUN = ("name", "names")
    FIELDS = ("first",)
    COLUMNS = (Column("Name"), Column("Length", 8, right=True))
    ACTIONS = (
        Action[str](
            key="S",
            verb="Stamp",
            effect="will be stamped",
            done="is stamped",
            applies=lambda row: row != "plain",
            call=stamp,
        ),
        Action[str](
            key="E",
            verb="Erase",
            effect="will be gone",
            done="is gone",
            call=stamp,
            bulk=Bulk(settle=settle, count=count_left, call=erase_all),
        ),
    )
    FORMS = (
        FormAction[Mapping[str, str]](
            key="n",
            verb="Make a name",
            fields=(Field(name="text", label="Text"), Field(name="size", label="Size")),
            read=read_name,
            question=ask_to_make,
            call=make,
        ),
    )
    LINKS = (Link[str](key="o", name="Others", view="others", filter=lambda row: row),)

    @property
    def source(self) -> Source:
        return cast("FakeFeatures", self.desk.features).source

    async def load(self, page: int, per_page: int) -> Found[str]:
        self.source.pages.append(page)
        rows = [row for row in self.source.rows if self.filter.text in row]
        start = (page - 1) * per_page
        return Found(rows[start : start + per_page], len(rows))

    def key_of(self, row: str) -> str:
        return row

    def cells(self, row: str) -> Sequence[str]:
        return row, str(len(row))

    async def describe(self, key: str) -> Detail[str]:
        if key not in self.source.rows:
            raise NotFound(f"There is no name {key}")
        return Detail(key, Text(f"all about {key}"))


class OthersView(NamesView):
    NAME = "others"
    TITLE = "Others"
    KEY = "2"


@asynccontextmanager
async def sit(
    *rows: str, source: Source | None = None, readonly: bool = False
) -> AsyncIterator[tuple[Operator, Source]]:
    features = FakeFeatures(modules=[], tasks=build_registry([], []))
    object.__setattr__(features, "source", source or Source(rows))
    desk = Desk(
        features=features, connected_to="tests", readonly=readonly, refresh=3600, actor=ACTOR
    )
    async with sit_at(desk, [NamesView, OthersView]) as operator:
        await operator.until(lambda: view_of(operator).rows_in_memory() or not features.source.rows)
        yield operator, features.source


def view_of(operator: Operator) -> NamesView:
    return cast("NamesView", operator.app.view)


def is_at(operator: Operator, row: str) -> bool:
    return view_of(operator).current == row


def says(operator: Operator, words: str) -> bool:
    """Whether this is the view and its status."""
    return f"{operator.app.view.NAME} {operator.status}" == words


async def refresh(operator: Operator, source: Source) -> None:
    """Reads anew, and waits until that is done."""
    seen = len(source.pages)
    await operator.press("r")
    await operator.until(lambda: len(source.pages) > seen)
    await operator.press()


class TestPaging:
    async def test_costs_the_same_however_many_rows_there_are(self) -> None:
        source = Source([f"{number:06}" for number in range(MANY)])
        async with sit(source=source) as (operator, _):
            for key, there in (("end", MANY - 1), ("home", 0), ("G", MANY - 1)):
                await operator.press(key)
                await operator.until(partial(is_at, operator, f"{there:06}"))
            assert operator.status == "100,000 names"
            assert len(view_of(operator).rows_in_memory()) <= 3 * PAGE_ROWS
        assert len(source.pages) < 20

    async def test_shows_what_it_has_not_read_yet_as_such(self) -> None:
        async with sit(*(f"{number:03}" for number in range(PAGE_ROWS * 3))) as (operator, _):
            await operator.press("end")
            await operator.until(lambda: f"{PAGE_ROWS * 3 - 1:03}" in drawn(view_of(operator)))


class TestRefresh:
    async def test_keeps_the_cursor_on_its_row(self) -> None:
        async with sit("a", "b", "c") as (operator, source):
            await operator.press("j")
            source.rows.insert(0, "new")
            await refresh(operator, source)
            await operator.until(lambda: len(view_of(operator).rows_in_memory()) == 4)
            assert view_of(operator).current == "b"

    async def test_finds_a_row_that_has_moved_by_several_pages(self) -> None:
        rows = [f"{number:04}" for number in range(PAGE_ROWS * 4)]
        async with sit(*rows) as (operator, source):
            await operator.press("j")
            source.rows[:0] = [f"new {number}" for number in range(PAGE_ROWS * 7)]
            await refresh(operator, source)
            await operator.until(lambda: view_of(operator).table.total == PAGE_ROWS * 11)
            await operator.until(lambda: view_of(operator).current == "0001")

    async def test_takes_the_next_row_where_its_own_is_gone(self) -> None:
        async with sit("a", "b", "c") as (operator, source):
            await operator.press("j")
            source.rows.remove("b")
            await refresh(operator, source)
            await operator.until(lambda: view_of(operator).current == "c")

    async def test_keeps_marks(self) -> None:
        async with sit("a", "b", "c") as (operator, source):
            await operator.press("space")
            source.rows.reverse()
            await refresh(operator, source)
            await operator.until(lambda: "1 marked" in operator.status)
            assert list(view_of(operator).selection.marks) == ["a"]


class TestActions:
    async def test_ask_and_tell(self) -> None:
        async with sit("a") as (operator, source):
            await operator.press("S")
            assert await operator.question() == "Stamp name a?\n\nIt will be stamped."
            assert await operator.confirm() == "a is stamped"
            assert source.stamped == ["a"]

    async def test_leave_out_marked_rows_that_they_do_not_apply_to(self) -> None:
        async with sit("a", "plain", "b") as (operator, source):
            await operator.press("space", "space", "space", "S")
            assert (await operator.question()).startswith("Stamp 2 of the 3 marked names?")
            await operator.confirm()
            assert source.stamped == ["a", "b"]
            await operator.until(lambda: operator.status == "3 names")  # nothing is marked any more

    async def test_go_on_after_an_error_and_tell_it(self) -> None:
        async with sit("stuck", "b") as (operator, source):
            await operator.press("space", "space", "S")
            await operator.confirm()
            assert operator.notices == ["name stuck: It is stuck", "1 of 2 names: each is stamped"]
            assert source.stamped == ["b"]

    async def test_on_marked_rows_end_with_what_they_need(self) -> None:
        async with sit("a", "away", "z") as (operator, source):
            await operator.press("space", "space", "space", "S")
            await operator.confirm()
            assert operator.notices == ["name away: It is away", "1 of 3 names: each is stamped"]
            assert source.stamped == ["a"]

    async def test_on_marked_rows_are_finished_when_their_asker_leaves(self) -> None:
        async with sit("a", "slow", "z") as (operator, source):
            await operator.press("space", "space", "space", "S")
            await operator.question()
            await operator.press("y")
            await operator.until(source.is_waited_for.is_set)
            await operator.press("q")
            await asyncio.sleep(0.3)  # cancelled meanwhile, and more than once
            source.may_go_on.set()
            await operator.until(lambda: not operator.app.is_running)
        assert source.stamped == ["a", "slow", "z"]

    async def test_without_a_bulk_are_not_for_all_that_match(self) -> None:
        async with sit("a", "b") as (operator, source):
            await operator.press("asterisk", "S")
            await operator.until(lambda: operator.notices)
            assert operator.notices == ["Stamp is for single names only"]
            assert source.stamped == []

    async def test_in_an_empty_list_say_that_there_is_nothing_they_could_be_for(self) -> None:
        async with sit() as (operator, _):
            await operator.press("S", "o")
            await operator.until(partial(operator.has_notices, 2))
            assert sorted(operator.notices) == [
                "Others: there is no name under the cursor",
                "Stamp: there is no name under the cursor",
            ]

    async def test_on_all_that_match_are_counted_first_and_show_how_far_they_are(self) -> None:
        async with sit("a1", "a2", "a3", "a4", "b") as (operator, source):
            await operator.filter("a")
            await operator.until(lambda: operator.status.startswith("4 names"))
            await operator.press("asterisk", "E")
            question = await operator.question()
            assert question.startswith(
                "Erase all 4 names that it applies to, of those that match a?"
            )
            await operator.press("y")
            await operator.until(lambda: "██████████░░░░░░░░░░ 2 of 4" in operator.status)
            source.may_go_on.set()
            await operator.until(lambda: operator.notices == ["4 names: each is gone"])
            assert source.rows == ["b"]
            await operator.until(lambda: "░" not in operator.status)

    async def test_on_all_that_match_tell_what_follows_of_it(self) -> None:
        async with sit("a", "b", "c", "late") as (operator, source):
            await operator.press("asterisk", "E")
            await operator.question()
            source.may_go_on.set()
            said = "3 names: each is gone; up to 1 more follow as the task jobs:bulk"
            assert await operator.confirm() == said

    async def test_take_no_key_for_an_answer_that_came_before_the_question(self) -> None:
        async with sit("a", "b") as (operator, source):
            source.may_be_read.clear()
            await operator.press("asterisk", "E")
            await operator.until(lambda: "counting" in drawn(operator.app.screen))
            await operator.press("slash", "d", "a", "y")
            assert "(y)" not in drawn(operator.app.screen)
            assert not view_of(operator).has_class("-filtering")
            source.may_be_read.set()
            source.may_go_on.set()
            assert (await operator.question()).startswith("Erase all 2 names")
            assert source.rows == ["a", "b"]
            assert await operator.confirm() == "2 names: each is gone"
            assert source.rows == []

    async def test_can_be_given_up_while_they_are_counted(self) -> None:
        async with sit("a") as (operator, source):
            source.may_be_read.clear()
            await operator.press("asterisk", "E")
            await operator.until(lambda: isinstance(operator.app.screen, Confirm))
            await operator.press("ctrl+p")
            assert isinstance(operator.app.screen, Confirm)
            await operator.press("escape")
            await operator.until(lambda: len(operator.app.screen_stack) == 1)
            assert source.rows == ["a"]

    async def test_that_apply_to_none_of_all_ask_nothing(self) -> None:
        async with sit() as (operator, _):
            await operator.press("asterisk", "E")
            await operator.until(lambda: operator.notices)
            assert operator.notices == ["Erase applies to none of all there are"]
            await operator.until(lambda: len(operator.app.screen_stack) == 1)

    async def test_are_forbidden_while_reading_only(self) -> None:
        async with sit("a", readonly=True) as (operator, source):
            for number, key in enumerate(("S", "n"), 1):
                await operator.press(key)
                await operator.until(partial(operator.has_notices, number))
            assert all("--readonly" in notice for notice in operator.notices)
            assert not isinstance(operator.app.screen, Confirm | Form)
            assert source.stamped == []

    async def test_that_need_a_form_show_their_secret_once(self) -> None:
        async with sit("a") as (operator, _):
            await operator.press("n")
            await operator.until(lambda: isinstance(operator.app.focused, Input))
            for key in (*"me", "enter", *"big", "enter"):
                operator.app.post_message(events.Key(key, key if len(key) == 1 else None))
            assert await operator.question() == "Make me?"
            await operator.press("y")
            await operator.until(lambda: isinstance(operator.app.screen, ShowSecret))
            await operator.press("y")
            await operator.until(
                lambda: operator.app.clipboard == "made of {'text': 'me', 'size': 'big'}"
            )
            await operator.press("escape")
            await operator.until(lambda: len(operator.app.screen_stack) == 1)

    async def test_that_need_a_form_are_for_what_was_filled_in_when_it_was_sent(self) -> None:
        async with sit("a") as (operator, source):
            await operator.press("n")
            await operator.until(lambda: isinstance(operator.app.focused, Input))
            source.may_be_read.clear()
            form = operator.app.screen
            text, size = form.query(Input)
            await operator.press(*"me", "enter", *"big", "enter")
            await operator.until(lambda: size.disabled)
            await operator.press(*"daily", "enter", "escape")
            assert [text.value, size.value] == ["me", "big"]
            source.may_be_read.set()
            assert await operator.question() == "Make me?"
            await operator.press("n")
            await operator.until(partial(operator.has_focus, size))
            assert operator.app.screen is form
            assert [text.value, size.value] == ["me", "big"]

    async def test_that_need_a_form_show_what_is_wrong_in_it_and_keep_what_was_typed(self) -> None:
        async with sit("a") as (operator, _):
            await operator.press("n")
            await operator.until(lambda: isinstance(operator.app.focused, Input))
            form = operator.app.screen
            text, size = form.query(Input)
            await operator.press("enter", *"big", "enter")
            await operator.until(lambda: operator.faults == ["", "", "A name is needed"])
            assert "A name is needed" in drawn(form)
            assert operator.app.focused is size
            text.value = "taken"
            await operator.press("enter")
            await operator.question()
            await operator.press("y")
            await operator.until(
                lambda: operator.faults == ["is taken\nis short", "is odd", "colour is missing"]
            )
            assert operator.app.screen is form
            await operator.until(partial(operator.has_focus, text))
            await operator.type("!")
            await operator.until(lambda: text.value == "taken!")
            await operator.press("enter")
            await operator.until(partial(operator.has_focus, size))
            await operator.press("enter")
            assert await operator.question() == "Make taken!?"
            await operator.press("n")
            await operator.until(lambda: operator.app.screen is form)
            assert [text.value, size.value] == ["taken!", "big"]
            assert operator.faults == ["", "", ""]
            await operator.press("escape")
            await operator.until(lambda: len(operator.app.screen_stack) == 1)
            assert operator.notices == []


class TestFilter:
    async def test_takes_what_is_typed_at_once_for_what_was_there(self) -> None:
        async with sit("Sam/1", "S", "b") as (operator, source):
            await operator.filter("a")
            await operator.until(lambda: operator.status == "1 name · filter: a")
            await operator.press("enter")
            await operator.until(lambda: view_of(operator).opened)
            characters = {"slash": "/", "enter": None}
            for key in ("slash", *"Sam", "slash", "1", "enter"):
                operator.app.post_message(events.Key(key, characters.get(key, key)))
            await operator.until(lambda: operator.status == "1 name · filter: Sam/1")
            assert source.stamped == []


class TestWays:
    async def test_a_link_leads_to_a_view_with_a_filter_and_escape_back_to_the_detail(self) -> None:
        async with sit("ab", "a", "b") as (operator, _):
            await operator.press("j", "enter")
            await operator.until(lambda: view_of(operator).opened)
            await operator.press("o")
            await operator.until(lambda: operator.status == "2 names · filter: a")
            assert operator.app.view.NAME == "others"
            await operator.press("escape")
            await operator.until(lambda: operator.app.view.NAME == "names")
            await operator.until(lambda: view_of(operator).opened)
            assert operator.status == "name a"
            await operator.press("escape")
            await operator.until(lambda: operator.status == "3 names")

    async def test_escape_gives_a_view_back_what_it_showed_before_a_link_led_there(self) -> None:
        async with sit("ab", "ac", "b") as (operator, _):
            await operator.press("2")
            await operator.until(lambda: operator.app.view.NAME == "others")
            await operator.filter("a")
            await operator.until(lambda: operator.status == "2 names · filter: a")
            await operator.press("j", "1")
            await operator.until(lambda: operator.app.view.NAME == "names")
            await operator.press("G", "o")
            await operator.until(lambda: operator.status == "2 names · filter: b")
            await operator.press("escape")
            await operator.until(lambda: operator.app.view.NAME == "names")
            await operator.press("2")
            await operator.until(lambda: operator.status == "2 names · filter: a")
            await operator.until(partial(is_at, operator, "ac"))

    async def test_escape_clears_what_was_filtered_by_before_it_goes_back(self) -> None:
        async with sit("ab", "abc", "b") as (operator, _):
            await operator.filter("a")
            await operator.until(lambda: operator.status == "2 names · filter: a")
            await operator.press("o")  # with a filter that nobody typed
            await operator.until(lambda: operator.status == "2 names · filter: ab")
            await operator.filter("c")
            await operator.until(lambda: operator.status == "1 name · filter: c")
            for shown in ("others 2 names · filter: ab", "names 2 names · filter: a"):
                await operator.press("escape")
                await operator.until(partial(says, operator, shown))
            await operator.press("escape", "escape")
            await operator.until(lambda: operator.status == "3 names")
            assert operator.app.view.NAME == "names"

    async def test_keys_and_tabs_lead_to_views_as_they_were_left(self) -> None:
        async with sit("a", "b") as (operator, _):
            await operator.press("j", "2")
            await operator.until(lambda: operator.app.view.NAME == "others")
            await operator.press("1")
            await operator.until(lambda: operator.app.view.NAME == "names")
            await operator.until(partial(is_at, operator, "b"))

    async def test_copying_says_so(self) -> None:
        async with sit("a") as (operator, _):
            await operator.press("y")
            await operator.until(lambda: operator.notices)
            assert (operator.app.clipboard, operator.notices) == ("a", ["Copied a"])

    async def test_help_names_the_keys_of_the_view(self) -> None:
        async with sit("a") as (operator, _):
            await operator.press("question_mark")
            await operator.until(lambda: len(operator.app.screen_stack) == 2)
            await operator.until(lambda: "Make a name" in drawn(operator.app.screen))
            assert "Stamp" in drawn(operator.app.screen)

    @pytest.mark.parametrize("key", ["colon", "ctrl+p"])
    async def test_a_key_opens_the_palette(self, key: str) -> None:
        async with sit("a") as (operator, _):
            await operator.press(key)
            await operator.until(lambda: isinstance(operator.app.screen, CommandPalette))

    async def test_the_palette_has_every_view_and_action(self) -> None:
        async with sit("a") as (operator, _):
            commands = {
                each.title for each in operator.app.get_system_commands(operator.app.screen)
            }
            assert {
                "Go to Others",
                "Names: Stamp",
                "Others: Stamp",
                "Names: Make a name",
            } <= commands
