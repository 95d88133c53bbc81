"""The mouse does what keys do."""

from textual.events import MouseScrollDown
from textual.widgets._footer import FooterKey

from tests.tui.conftest import Operator, drawn
from tests.tui.test_table_view import is_at, sit, view_of

FIRST_LINE = 1  # below the titles


async def turn_wheel(operator: Operator, times: int) -> None:
    table = view_of(operator).table
    x, y = table.region.offset
    for _ in range(times):
        table.post_message(MouseScrollDown(table, x, y, 0, 1, 0, False, False, False))


class TestMouse:
    async def test_a_click_on_a_tab_shows_its_view(self) -> None:
        async with sit("a") as (operator, _):
            await operator.click("#others")
            await operator.until(lambda: operator.app.view.NAME == "others")

    async def test_a_click_takes_the_cursor_to_a_row(self) -> None:
        async with sit("a", "b", "c") as (operator, _):
            await operator.click(view_of(operator).table, at=(3, FIRST_LINE + 2))
            await operator.until(lambda: is_at(operator, "c"))
            assert view_of(operator).opened is None

    async def test_two_clicks_open_a_row(self) -> None:
        async with sit("a", "b", "c") as (operator, _):
            await operator.click(view_of(operator).table, at=(3, FIRST_LINE + 1), times=2)
            await operator.until(lambda: operator.status == "name b")

    async def test_a_click_on_the_titles_or_below_the_rows_does_nothing(self) -> None:
        async with sit("a", "b") as (operator, _):
            await operator.press("j")
            for line in (0, FIRST_LINE + 5):
                await operator.click(view_of(operator).table, at=(3, line), times=2)
            assert is_at(operator, "b")
            assert view_of(operator).opened is None

    async def test_a_click_on_a_button_answers(self) -> None:
        async with sit("a") as (operator, source):
            for button, done in (("#no", []), ("#yes", ["a"])):
                await operator.press("S")
                await operator.question()
                await operator.until(lambda: "No (n)" in drawn(operator.app.screen))
                await operator.click(button)
                await operator.until(lambda: len(operator.app.screen_stack) == 1)
                await operator.until(lambda: source.stamped == done)  # noqa: B023  # within the turn

    async def test_a_click_on_a_key_of_the_footer_does_what_the_key_does(self) -> None:
        async with sit("a") as (operator, _):
            # The footer first has the frame's own keys, and soon those of the view before them.
            await operator.until(lambda: "Stamp" in drawn(operator.app.query_one("KeyFooter")))
            keys = operator.app.query(FooterKey)
            await operator.click(next(key for key in keys if key.description == "Help"))
            await operator.until(lambda: len(operator.app.screen_stack) == 2)

    async def test_a_wheel_takes_the_cursor_along_so_that_no_refresh_goes_back(self) -> None:
        async with sit(*(f"{number:03}" for number in range(200))) as (operator, source):
            table = view_of(operator).table
            await turn_wheel(operator, 10)
            moved = 10 * operator.app.scroll_sensitivity_y
            await operator.until(lambda: table.scroll_offset.y == table.cursor == moved)
            seen = len(source.pages)
            await operator.press("r")
            await operator.until(lambda: len(source.pages) > seen)
            await operator.press()
            assert table.scroll_offset.y == moved
