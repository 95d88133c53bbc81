"""The frame: tabs, header, banner, footer, and the way from view to view and back."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Event, Key
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Input, Static, Tab, Tabs

from myapp.errors import AppError, Unavailable
from myapp.tui.desk import Desk
from myapp.tui.dialogs import Confirm, Form, Help, ShowSecret
from myapp.tui.footer import KeyFooter
from myapp.tui.themes import SIXTEEN
from myapp.tui.view import Place, View
from myapp.tui.views.api_keys import ApiKeysView
from myapp.tui.views.audit import AuditView
from myapp.tui.views.crons import CronsView
from myapp.tui.views.events import EventsView
from myapp.tui.views.jobs import JobsView
from myapp.tui.views.overview import OverviewView
from myapp.tui.views.users import UsersView
from myapp.tui.views.workers import WorkersView
from myapp.tui.wording import plain
from myapp.until import INSIST

# In the order of their keys. Adding a view is a file in views/ and its name here.
VIEWS: Sequence[type[View]] = (
    OverviewView,
    JobsView,
    CronsView,
    WorkersView,
    UsersView,
    ApiKeysView,
    EventsView,
    AuditView,
)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the way: where it was made, and how the view was that a link led into."""

    back: Place
    before: Place | None = None


class Dashboard(App[None]):
    """The whole of it, over a desk."""

    TITLE = "myapp"
    CSS_PATH: ClassVar[str] = str(Path(__file__).with_name("app.tcss"))
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Close, unmark, clear the filter, or go back", show=False),
        Binding("r", "refresh_view", "Refresh", show=False),
        Binding("t", "change_theme", "Theme", show=False),
        Binding("colon", "command_palette", "Commands", key_display=":"),
        Binding("ctrl+p", "command_palette", "Commands", show=False, priority=True),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(
        self, desk: Desk, *, views: Sequence[type[View]] = VIEWS, first: type[View] | None = None
    ) -> None:
        """Begins at `first`, or else at the first of `views`."""
        super().__init__()
        self.desk = desk
        self._views = {view.NAME: view for view in views}
        self._first = first or views[0]
        self._banner = Static(id="banner", markup=False)
        self._trail: list[Step] = []
        self._view: View | None = None
        self._naming = False  # what is away, which takes its time
        self._failing: set[View] = set()
        self._away: dict[View, str] = {}
        self.register_theme(SIXTEEN)
        for view in views:
            # Before anything else: what is typed next is meant for the view that was asked for.
            self._bindings.bind(
                view.KEY, f"show('{view.NAME}')", view.TITLE, show=False, priority=True
            )

    def compose(self) -> ComposeResult:
        mode = "READ-ONLY  " if self.desk.readonly else ""
        yield Static(plain(f"myapp  {mode}{self.desk.connected_to}"), id="header", markup=False)
        yield Tabs(
            *(Tab(f"{view.KEY} {view.TITLE}", id=name) for name, view in self._views.items()),
            id="views",
        )
        yield self._banner
        yield ContentSwitcher(id="pages")
        yield KeyFooter()

    async def on_mount(self) -> None:
        self.query_one("#views", Tabs).can_focus = False
        await self.go_to(Place(self._first.NAME))

    async def on_event(self, event: Event) -> None:
        """Keys that were typed behind the one that leaves find nothing any more to be for."""
        if not (self._exit and isinstance(event, Key)):
            await super().on_event(event)

    async def on_unmount(self) -> None:
        """Returns when nothing is asked or done any more: what that needs is closed next.

        Textual cancels its workers once, and waits for none. Why once is too few: myapp/until.py.
        """
        pause = 0.0
        while self.workers:
            self.workers.cancel_all()
            await asyncio.sleep(pause)
            pause = INSIST

    @property
    def view(self) -> View:
        """The one that is shown."""
        assert self._view is not None  # noqa: S101  # there is one from the first moment on
        return self._view

    async def show(self, view: str, filter: str = "") -> None:  # noqa: A002  # what it is
        """Goes to a view; Esc comes back to where this was asked for, and leaves it as it was."""
        if view not in self._views:
            self.notify(f"There is no view of {view}", severity="warning", markup=False)
            return
        place = Place(view, filter, led_to=filter)
        if place != self.view.where():
            self._trail.append(Step(self.view.where(), self._place_of(view)))
            await self.go_to(place)

    def _place_of(self, view: str) -> Place:
        """What is shown there, or would be."""
        pages = self.screen_stack[0].query(f"#pages > #{view}")
        return pages.first(View).where() if pages else Place(view)

    async def go_to(self, place: Place) -> None:
        base = self.screen_stack[0]
        pages = base.query_one("#pages", ContentSwitcher)
        if not pages.query(f"#{place.view}"):
            await pages.add_content(self._views[place.view](self.desk))
        pages.current = place.view
        self._view = pages.query_one(f"#{place.view}", View)
        self._failing.clear()  # the view that is shown now will say what it misses
        self._away.clear()
        self._show_banner()
        base.query_one("#views", Tabs).active = place.view
        self.view.go_to(place)
        self.view.focus_first()
        self.view.wake()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A number is no view's key in a field, nor before a question about what is behind it."""
        if action == "show" and (self._is_asked() or isinstance(self.focused, Input)):
            return False
        return super().check_action(action, parameters)

    def _is_asked(self) -> bool:
        return isinstance(self.screen, Confirm | Form | ShowSecret)

    def action_command_palette(self) -> None:
        """Not before a question: that may go by itself, and what goes is what is in front."""
        if not self._is_asked():
            super().action_command_palette()

    async def action_show(self, view: str) -> None:
        """To a view as it was left."""
        if view != self.view.NAME:
            self._trail.append(Step(self.view.where()))
            await self.go_to(self._place_of(view))

    async def action_back(self) -> None:
        if self.view.step_back() or not self._trail:
            return
        step = self._trail.pop()
        if step.before:
            self.view.go_to(step.before)
        await self.go_to(step.back)

    def action_refresh_view(self) -> None:
        self.view.wake()

    def action_help(self) -> None:
        # What the view itself can do comes first, what every list does later.
        active = sorted(
            self.screen.active_bindings.values(),
            key=lambda binding: not isinstance(binding.node, View),
        )
        self.push_screen(Help(self.view.TITLE, self.view.notes(), active))

    @on(Tabs.TabActivated, "#views")
    async def _show_tab(self, event: Tabs.TabActivated) -> None:
        """For a click: where a view was shown otherwise, its tab only follows."""
        if self._view and event.tab.id == event.tabs.active != self._view.NAME:
            await self.action_show(event.tabs.active)

    @on(View.Jumped)
    async def _jump(self, event: View.Jumped) -> None:
        await self.show(event.view, event.filter_text)

    @on(View.Reported)
    def _note_outage(self, event: View.Reported) -> None:
        if self.view not in event.view.ancestors_with_self:
            return  # it was still reading when it was left, and will not say when all is well again
        before = self._away
        if isinstance(event.error, Unavailable):
            self._failing.add(event.view)
        else:
            self._failing.discard(event.view)
        # What made room for a detail is read no more, and will not say so either.
        self._failing = {view for view in self._failing if view.is_shown()}
        self._away = {view: words for view, words in before.items() if view in self._failing}
        if event.error and event.view in self._failing:
            self._away.setdefault(event.view, event.error.text)
            self._find_out(event.error)
        if self._away != before:
            self._show_banner()

    def _find_out(self, error: AppError) -> None:
        if not self._naming:
            self._naming = True
            self.run_worker(self._name_outage(error), group="outage")

    async def _name_outage(self, error: AppError) -> None:
        words = await self.desk.find_what_is_away() or error.text
        self._naming = False
        self._away = dict.fromkeys(self._failing, words)  # some may be well again meanwhile
        self._show_banner()

    def _show_banner(self) -> None:
        words = sorted(set(self._away.values()))
        self._banner.update(f"{'; '.join(words)}. What you see may be old; trying again")
        self._banner.set_class(bool(words), "-shown")

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every view and every action that is offered; those of another view lead to it first."""
        readonly = self.desk.readonly
        for name, view in self._views.items():
            go = partial(self.action_show, name)
            yield SystemCommand(f"Go to {view.TITLE}", f"Key {view.KEY}", go)
            for binding in view.BINDINGS:
                if isinstance(binding, Binding) and view.offers(binding.action, readonly=readonly):
                    words = f"{view.TITLE}: {binding.description}"
                    act = partial(self.act_in, name, binding.action)
                    yield SystemCommand(words, f"Key {binding.key}", act)
        yield SystemCommand("Help", "The keys of this view", self.action_help)
        yield SystemCommand("Refresh", "Read everything anew", self.action_refresh_view)
        yield from super().get_system_commands(screen)

    async def act_in(self, view: str, action: str) -> None:
        """Does it there; in a view that is not in sight nobody knows yet to which row."""
        if view == self.view.NAME:
            await self.run_action(action, default_namespace=self.view)
        else:
            await self.action_show(view)
