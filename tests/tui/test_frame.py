"""What is around every view: themes, commands, help, sizes."""

from functools import partial

import pytest
from textual.command import CommandPalette
from textual.events import Key
from textual.widgets import Input
from textual.widgets._footer import FooterKey

from myapp.tui.app import VIEWS
from myapp.tui.dialogs import Help
from myapp.tui.tile import Tile
from myapp.tui.view import View
from myapp.tui.views.audit import AuditView
from myapp.tui.views.jobs import JobsView
from tests.tui.conftest import LISTS, Operator, Sit, drawn

VIEW_NAMES = [view.NAME for view in VIEWS]


def shows(operator: Operator, view: str) -> bool:
    return view == operator.app.view.NAME


def is_drawn(operator: Operator, text: str) -> bool:
    """Whether it is on the screen, or in its dialog, however it is broken into lines."""
    screen = operator.app.screen
    lines = drawn(next(iter(screen.query(".dialog")), screen)).splitlines()
    return " ".join(text.split()) in " ".join(word for line in lines for word in words(line))


def words(line: str) -> list[str]:
    return line.replace("│", " ").split()


def has_size(operator: Operator, width: int, height: int) -> bool:
    return operator.app.screen.size == (width, height)


def have_lines(operator: Operator, lines: int) -> bool:
    """Whether every tile has so many, and all have their own place."""
    tiles = operator.app.view.query(Tile)
    places = {tile.region for tile in tiles}
    return {tile.size.height for tile in tiles} == {lines} and len(places) == len(tiles)


def verbs_of(view: type[View]) -> list[str]:
    return [action.verb for action in view.ACTIONS] + [form.verb for form in view.FORMS]


def offered(operator: Operator) -> set[str]:
    """The words of the keys that do something in the view."""
    return {each.binding.description for each in operator.app.screen.active_bindings.values()}


async def go(operator: Operator, view: type[View]) -> None:
    await operator.press(view.KEY)
    await operator.until(partial(shows, operator, view.NAME))


async def choose(operator: Operator, typed: str, title: str) -> None:
    """A command of the palette that is open."""
    await operator.until(lambda: isinstance(operator.app.focused, Input))
    await operator.type(typed)
    await operator.until(partial(is_drawn, operator, title))
    await operator.press("enter")


class TestThemes:
    async def test_are_chosen_by_name_also_that_of_sixteen_colours(self, sit: Sit) -> None:
        async with sit() as operator:
            await operator.press("t")
            await choose(operator, "myapp-16", "myapp-16")
            await operator.until(lambda: operator.app.theme == "myapp-16")
            await operator.until(lambda: len(operator.app.screen_stack) == 1)


class TestPalette:
    async def test_lists_what_each_view_can_do(self, sit: Sit) -> None:
        async with sit(views=VIEWS) as operator:
            screen = operator.app.screen
            titles = {command.title for command in operator.app.get_system_commands(screen)}
        for view in VIEWS:
            assert f"Go to {view.TITLE}" in titles
            for verb in verbs_of(view):
                assert any(f"{view.TITLE}: " in title and verb in title for title in titles)
            for link in view.LINKS:
                assert f"{view.TITLE}: {link.name}" in titles

    async def test_does_it(self, sit: Sit) -> None:
        async with sit() as operator:
            await go(operator, next(view for view in VIEWS if view.NAME == "crons"))
            await operator.until(lambda: operator.status == "3 crons")
            await operator.press("colon")
            await choose(operator, "crons run", "Crons: Run")
            assert (await operator.question()).startswith("Run cron cleanup-expired?")

    async def test_leads_to_another_view_first(self, sit: Sit) -> None:
        async with sit() as operator:
            await operator.press("ctrl+p")
            await operator.until(lambda: isinstance(operator.app.screen, CommandPalette))
            await choose(operator, "crons run", "Crons: Run")
            await operator.until(partial(shows, operator, "crons"))
            assert len(operator.app.screen_stack) == 1


class TestHelp:
    @pytest.mark.parametrize("view", VIEWS, ids=VIEW_NAMES)
    async def test_tells_what_the_view_does_and_its_keys(self, sit: Sit, view: type[View]) -> None:
        async with sit(views=[*LISTS, view]) as operator:
            await operator.resize(120, 60)
            await go(operator, view)
            await operator.press("question_mark")
            await operator.until(lambda: isinstance(operator.app.screen, Help))
            await operator.until(partial(is_drawn, operator, view.TITLE))
            assert is_drawn(operator, view.NOTES)
            assert is_drawn(operator, view.ACTION_NOTES)
            assert is_drawn(operator, "esc Close, unmark, clear the filter, or go back")
            for verb in verbs_of(view):
                assert is_drawn(operator, verb)
            for link in view.LINKS:
                assert is_drawn(operator, f"{link.key} {link.name}")
            await operator.press("escape")
            await operator.until(lambda: len(operator.app.screen_stack) == 1)


class TestOffers:
    """What footer and help have is what Textual calls active, and has words for."""

    async def test_marks_where_an_action_has_use_for_them(self, sit: Sit) -> None:
        async with sit() as operator:
            for view in LISTS:
                await go(operator, view)
                await operator.until(lambda: operator.status)
                named = offered(operator)
                assert ("Mark" in named) == bool(view.ACTIONS)
                await operator.press("space")  # says so, where it is of no use
                said = [] if view.ACTIONS else [f"No action is for {view.NOUN[1]}"]
                await operator.until(partial(operator.has_notices, len(said)))
                assert operator.notices == said
                operator.notices.clear()
                assert ("Mark all that match" in named) == (view.NAME == "jobs")

    async def test_nothing_that_changes_something_while_reading_only(self, sit: Sit) -> None:
        async with sit(views=VIEWS, readonly=True) as operator:
            screen = operator.app.screen
            titles = {command.title for command in operator.app.get_system_commands(screen)}
            for view in VIEWS:
                await go(operator, view)
                await operator.until(lambda: operator.status)
                named = offered(operator)
                assert {"Commands", "Help"} <= named
                assert {link.name for link in view.LINKS} <= named
                verbs = {*verbs_of(view), "Mark", "Mark all that match", "Pause queue"}
                words = {word for name in named for word in name.split(" / ")}
                assert not verbs & words - {"Pause"}  # the view of events
                assert not {f"{view.TITLE}: {verb}" for verb in verbs} & titles
            await operator.press("question_mark")
            await operator.until(partial(is_drawn, operator, "the dashboard runs with --readonly."))


class TestSizes:
    @pytest.mark.parametrize("view", VIEWS, ids=VIEW_NAMES)
    async def test_may_change_while_a_view_is_shown(self, sit: Sit, view: type[View]) -> None:
        async with sit(views=[view]) as operator:
            for width, height in ((120, 40), (80, 24), (40, 12), (120, 40)):
                await operator.resize(width, height)
                await operator.until(partial(has_size, operator, width, height))
                await operator.until(partial(is_drawn, operator, view.TITLE))
                await operator.until(lambda: operator.status)

    async def test_of_tiles_fit_them(self, sit: Sit) -> None:
        async with sit(views=VIEWS) as operator:
            for width, height, lines in ((120, 40, 4), (80, 24, 3), (120, 40, 4)):
                await operator.resize(width, height)
                await operator.until(partial(have_lines, operator, lines))


class TestKeys:
    async def test_typed_at_once_after_that_of_a_view_are_meant_for_it(self, sit: Sit) -> None:
        async with sit() as operator:
            await operator.until(lambda: operator.status)
            characters = {"slash": "/", "enter": None}
            for key in ("3", "slash", *"sync", "enter"):
                operator.app.post_message(Key(key, characters.get(key, key)))
            await operator.until(lambda: operator.status == "1 cron · filter: sync")

    async def test_of_views_leave_what_is_behind_a_question(self, sit: Sit) -> None:
        async with sit() as operator:
            await go(operator, JobsView)
            await operator.until(lambda: "default" in drawn(operator.app.screen))
            await operator.press("p")
            await operator.question()
            await operator.press(AuditView.KEY, "n")
            await operator.until(lambda: len(operator.app.screen_stack) == 1)
            assert shows(operator, JobsView.NAME)

    async def test_of_views_may_be_typed_into_a_field(self, sit: Sit) -> None:
        async with sit() as operator:
            await operator.filter("34")
            await operator.until(lambda: operator.status == "0 jobs · filter: 34")


class TestFooter:
    async def test_is_made_anew_only_for_other_keys(self, sit: Sit) -> None:
        async with sit() as operator:
            await go(operator, AuditView)
            await operator.until(partial(is_drawn, operator, "/ Filter"))
            keys = list(operator.app.query(FooterKey))
            for _ in range(2):  # at the second time, what the first one led to is done
                await operator.press("question_mark")
                await operator.until(lambda: isinstance(operator.app.screen, Help))
                await operator.press("escape")
                await operator.until(lambda: len(operator.app.screen_stack) == 1)
            assert list(operator.app.query(FooterKey)) == keys
            await go(operator, JobsView)
            await operator.until(partial(is_drawn, operator, "p Pause queue"))
            assert list(operator.app.query(FooterKey)) != keys
