"""Questions, and what is shown until it is closed."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

from rich.console import RenderableType
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Paste
from textual.geometry import Region
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import Button, Input, Label, Static

from myapp.errors import AppError, FieldError
from myapp.tui.actions import Field, Secret
from myapp.tui.wording import facts, printable

YES, NO = "yes", "no"

Answer = Callable[[Mapping[str, str]], Awaitable[str | Secret | None]]


class Words(Static):
    """Text that knows whether it has been on the screen since it was last changed."""

    is_drawn = False

    def change(self, text: str) -> None:
        self.is_drawn = False
        self.update(printable(text))

    def render_lines(self, crop: Region) -> list[Strip]:
        self.is_drawn = True
        return super().render_lines(crop)


class Confirm(ModalScreen[bool]):
    """A question that names a target and what becomes of it.

    Without a `question` it is one that is still being found: keys go to it already, and there is
    no Yes until `ask`. Nobody says yes to what they cannot have read: a y that was typed before
    the question was drawn is for nobody.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape", "answer(False)", "No"),
        Binding("left,right,h,l", "app.focus_next", "Other answer", show=False),
    ]

    def __init__(self, question: str | None = None, *, verb: str) -> None:
        super().__init__()
        self._question = question
        self._verb = verb
        self._words = Words(markup=False, id="question")

    @property
    def is_readable(self) -> bool:
        """Whether the question is on the screen."""
        return self._question is not None and self._words.is_drawn

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield self._words
            with Horizontal(classes="answers"):
                # What Enter does by itself has to be harmless.
                yield Button("No (n)", id=NO)
                yield Button(id=YES, variant="error")

    def on_mount(self) -> None:
        self._show()

    def ask(self, question: str, *, verb: str) -> None:
        """Now that it is known. The dialog has to be mounted."""
        self._question = question
        self._verb = verb
        self._show()

    def _show(self) -> None:
        counting = f"{self._verb}: counting what it applies to…"
        self._words.change(counting if self._question is None else self._question)
        yes = self.query_one(f"#{YES}", Button)
        yes.label = f"{self._verb} (y)"
        yes.display = self._question is not None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is no yes to what cannot be read yet."""
        if action == "answer" and parameters == (True,) and not self.is_readable:
            return False
        return super().check_action(action, parameters)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == YES)

    def action_answer(self, answer: bool) -> None:  # noqa: FBT001  # Textual hands over the binding's own
        self.dismiss(answer)


class Line(Input):
    """One line, also of a text of several that is pasted: Textual's takes the first one alone.

    What is typed replaces what was there. Textual's selects that with the focus, which may come
    after the first letter.
    """

    def __init__(self, value: str, **options: Any) -> None:
        super().__init__(value, compact=True, select_on_focus=False, **options)
        self.action_select_all()

    def _on_paste(self, event: Paste) -> None:
        event.prevent_default()
        super()._on_paste(Paste(" ".join(event.text.splitlines())))
        event.stop()


class Form(ModalScreen[str | Secret | None]):
    """Asks for some lines of text until something came of them; None when it is given up.

    `answer` is given what was typed. What it raises is shown beside the fields that it is about,
    and at the foot if it is about none; None leaves everything as it is.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        # A field's own way takes a moment, in which what is typed next would still go to it.
        Binding("enter", "go_on", "Go on", priority=True),
        Binding("escape", "give_up", "Give up"),
    ]

    def __init__(self, title: str, fields: Sequence[Field], answer: Answer) -> None:
        super().__init__()
        self._title = title
        self._fields = fields
        self._answer = answer
        self._is_answering = False

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog", can_focus=False):
            yield Label(self._title, markup=False, classes="title")
            for field in self._fields:
                yield Label(field.label, markup=False)
                yield Line(field.value, placeholder=field.hint, id=field.name)
                yield Static(markup=False, classes="fault", id=f"fault-{field.name}")
            yield Static(markup=False, id="foot")
            yield Static("Enter goes on, Esc gives up", classes="hint")

    def action_go_on(self) -> None:
        """From each field to the next, and from the last to the answer."""
        if self._is_answering:
            return
        if self.focused and self.focused.id == self._fields[-1].name:
            self._is_answering = True
            # After the keys that are on their way to this field.
            self.focused.call_later(self.run_worker, self._ask_for_the_answer)
        else:
            self.focus_next(Line)

    async def _ask_for_the_answer(self) -> None:
        self._show(())
        # It is about what was filled in: what is typed meanwhile is for nobody.
        for line in self.query(Line):
            line.disabled = True
        try:
            outcome = await self._answer(
                {each.name: self._line(each.name).value.strip() for each in self._fields}
            )
        except AppError as error:
            self._ask_again(error.details or [FieldError("", error.text)])
        else:
            if outcome is None:
                self._ask_again(())
            else:
                self.dismiss(outcome)
        finally:
            self._is_answering = False

    def _ask_again(self, faults: Sequence[FieldError]) -> None:
        for line in self.query(Line):
            line.disabled = False
        self._line(self._fields[-1].name).focus()
        self._show(faults)

    def _line(self, name: str) -> Line:
        return self.query_one(f"#{name}", Line)

    def _show(self, faults: Sequence[FieldError]) -> None:
        """These and no others, with the cursor in the first field of which there is any."""
        by_field: dict[str, list[str]] = {field.name: [] for field in self._fields}
        of_none = []
        for fault in faults:
            if fault.field in by_field:
                by_field[fault.field].append(fault.message)
            else:
                of_none.append(f"{fault.field} {fault.message}".strip())
        for name, messages in by_field.items():
            self.query_one(f"#fault-{name}", Static).update(printable("\n".join(messages)))
        foot = self.query_one("#foot", Static)
        foot.update(printable("\n".join(of_none)))
        foot.set_class(bool(of_none), "-shown")
        if faulty := [name for name, messages in by_field.items() if messages]:
            line = self._line(faulty[0])
            line.focus()
            line.cursor_position = len(line.value)

    def action_give_up(self) -> None:
        """Not while it is answered: nobody could tell what came of it."""
        if not self._is_answering:
            self.dismiss(None)


class ShowSecret(ModalScreen[None]):
    """What is shown this once, until it is closed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "Copy"),
        Binding("escape", "dismiss", "Close"),
    ]

    def __init__(self, secret: Secret) -> None:
        super().__init__()
        self._secret = secret

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):  # an API key has 68 characters, in one line
            yield Static(printable(self._secret.sentence), markup=False)
            yield Static(self._secret.text, markup=False, id="secret")
            yield Static("y copies it, Esc closes: it is not shown again", classes="hint")

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._secret.text)
        self.notify("Copied")


class Details(ModalScreen[None]):
    """Something to read, until it is closed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "Close"),
        Binding("j", "scroll(1)", "Down", show=False),
        Binding("k", "scroll(-1)", "Up", show=False),
    ]

    def __init__(self, title: str, body: RenderableType) -> None:
        super().__init__()
        self._title = title
        self._body = body

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog wide"):
            yield Label(self._title, markup=False, classes="title")
            yield Static(self._body, markup=False)

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)


class Help(ModalScreen[None]):
    """The keys that do something where it was asked for."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "dismiss", "Close")
    ]

    def __init__(self, title: str, notes: str, active: Sequence[ActiveBinding]) -> None:
        super().__init__()
        self._title = title
        self._notes = notes
        self._active = active

    def compose(self) -> ComposeResult:
        keys: dict[str, list[str]] = {}
        for _, binding, enabled, _ in self._active:
            if enabled and binding.description:
                shown = self.app.get_key_display(binding)
                keys.setdefault(binding.description, []).append(shown)
        with VerticalScroll(classes="dialog tall"):
            yield Label(self._title, markup=False, classes="title")
            yield Static(self._notes, markup=False, classes="hint")
            yield Static(facts((" ".join(names), words) for words, names in keys.items()))
