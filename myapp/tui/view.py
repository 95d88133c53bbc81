"""What every view has: a name, a key, what it can do, and a loop that keeps it fresh."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.events import Unmount
from textual.message import Message
from textual.widget import Widget

from myapp.errors import AppError
from myapp.tui.actions import Action, FormAction, Link
from myapp.tui.desk import Desk
from myapp.tui.freshness import Freshness
from myapp.tui.performing import READ_ONLY, Performer
from myapp.until import end


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody was: a view, its filter, the cursor, and the key of what was open there.

    `led_to` is the filter that a link brought, to which Esc goes back from any other.
    """

    view: str
    filter: str = ""
    cursor: int = 0
    opened: str | None = None
    led_to: str = ""


class View(Vertical):
    """A page of the dashboard, or a part of one.

    Subclasses set the names and say in `refresh_view` what is read anew. FORMS are actions that
    need no row. `NOTES` is a sentence or two for the view's help, and `ACTION_NOTES` goes on about
    its actions. CHANGING are the names of Textual's actions that change something, or are of use
    for that alone. A view that KEEPS_UP is refreshed also while nobody sees it.
    """

    NAME: ClassVar[str]
    TITLE: ClassVar[str]
    KEY: ClassVar[str] = ""
    NOUN: ClassVar[tuple[str, str]] = ("row", "rows")
    NOTES: ClassVar[str] = ""
    ACTION_NOTES: ClassVar[str] = ""
    CHANGING: ClassVar[Sequence[str]] = ("perform", "fill_in")
    ACTIONS: ClassVar[Sequence[Action[Any]]] = ()
    FORMS: ClassVar[Sequence[FormAction[Any]]] = ()
    LINKS: ClassVar[Sequence[Link[Any]]] = ()
    KEEPS_UP: ClassVar[bool] = False

    class Reported(Message):
        """How a load went: None when well."""

        def __init__(self, view: "View", error: AppError | None) -> None:
            super().__init__()
            self.view = view
            self.error = error

    class Jumped(Message):
        """Somebody follows a link."""

        def __init__(self, view: str, filter_text: str) -> None:
            super().__init__()
            self.view = view
            self.filter_text = filter_text

    def __init_subclass__(cls, **options: Any) -> None:
        """The keys of what is declared become Textual's bindings, for the footer and the help."""
        if "BINDINGS" not in cls.__dict__:
            cls.BINDINGS = []
        cls.BINDINGS = [*cls.BINDINGS, *bindings_of(cls)]
        super().__init_subclass__(**options)

    def __init__(self, desk: Desk) -> None:
        super().__init__(id=self.NAME)
        self.desk = desk
        self._hide_keys()
        self._refreshing: asyncio.Task[Any] | None = None
        self._freshness = Freshness(
            self.refresh_view,
            every=desk.refresh,
            wanted=lambda: self.KEEPS_UP or self.is_seen(),
            report=self.report,
        )

    @classmethod
    def offers(cls, action: str, *, readonly: bool) -> bool:
        """Whether footer, help and palette name this action of Textual's."""
        return not (readonly and action.partition("(")[0] in cls.CHANGING)

    def _hide_keys(self) -> None:
        """Those that are not offered keep working: who presses them is told why nothing happens."""
        keys = self._bindings.key_to_bindings
        for key, bindings in keys.items():
            keys[key] = [
                binding
                if self.offers(binding.action, readonly=self.desk.readonly)
                else replace(binding, show=False, description="")
                for binding in bindings
            ]

    def on_mount(self) -> None:
        self.run_worker(self._keep_fresh(), group="refresh", exclusive=True)

    async def _keep_fresh(self) -> None:
        self._refreshing = asyncio.current_task()
        await self._freshness.run()

    @on(Unmount)
    async def _end_refreshing(self) -> None:
        """Returns when nothing is read any more: what it is read from is closed next."""
        if self._refreshing:
            await end(self._refreshing)

    async def refresh_view(self) -> None:
        """Reads what the view shows, and shows it. AppErrors go through."""
        raise NotImplementedError

    async def report(self, error: AppError | None) -> None:
        self.post_message(self.Reported(self, error))

    def wake(self) -> None:
        """Refreshes at once, with the parts that are views themselves."""
        self._freshness.wake()
        for part in self.query(View):
            part.wake()

    def is_shown(self) -> bool:
        """Whether it has a place on its screen, though there may be a question in front of it."""
        return all(node.display for node in self.ancestors_with_self if isinstance(node, Widget))

    def is_seen(self) -> bool:
        """Whether it is on the screen, and nothing in front of it."""
        return self.is_shown() and self.screen.is_current

    @property
    def performer(self) -> Performer:
        return Performer(self.app, self.desk, noun=self.NOUN, progress=self.show_progress)

    def notes(self) -> str:
        """What the help says before the keys."""
        more = f"{READ_ONLY}." if self.desk.readonly else self.ACTION_NOTES
        return f"{self.NOTES} {more}".strip()

    def show_progress(self, done: int, total: int) -> None:
        """How far an action has come; both are equal at its end."""

    def focus_first(self) -> None:
        """Gives the keys to whatever is to have them when the view is shown."""
        for widget in self.query("*"):
            if widget.focusable:
                self.screen.set_focus(widget)
                return

    def where(self) -> Place:
        return Place(self.NAME)

    def go_to(self, place: Place) -> None:
        """Shows what `where` told of."""

    def step_back(self) -> bool:
        """Ends what can be ended within the view; whether there was anything."""
        return False

    def action_fill_in(self, number: int) -> None:
        self.run_worker(self._fill_in(self.FORMS[number]), group="actions")

    async def _fill_in(self, form: FormAction[Any]) -> None:
        await self.performer.by_form(form)
        self.wake()


def bindings_of(view: type[View]) -> list[BindingType]:
    """Those of what this class declares or inherits."""
    by_key: dict[str, list[Action[Any]]] = {}
    for action in view.ACTIONS:
        by_key.setdefault(action.key, []).append(action)
    return [
        *(
            Binding(
                key,
                f"perform('{key}')",
                " / ".join(action.verb for action in actions),
                show=any(action.in_footer for action in actions),
            )
            for key, actions in by_key.items()
        ),
        *(
            Binding(form.key, f"fill_in({number})", form.verb)
            for number, form in enumerate(view.FORMS)
        ),
        *(
            Binding(link.key, f"follow({number})", link.name, show=False)
            for number, link in enumerate(view.LINKS)
        ),
    ]
