"""Live events: everyone's, as they happen, and sending one."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import ValidationError
from rich.console import Group, RenderableType
from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Static

from myapp.audit import Actor
from myapp.enums import UserStatus
from myapp.errors import AppError, FieldError, Invalid, NotFound, Unavailable
from myapp.events import RESYNC
from myapp.modules.event import EventModule
from myapp.modules.event.dtos import NewEvent
from myapp.modules.user import UserModule
from myapp.registry import Features
from myapp.sse.watch import Told
from myapp.tui.actions import Field, FormAction, Link
from myapp.tui.columns import Column
from myapp.tui.desk import Desk
from myapp.tui.event_log import EVERYBODY, KEPT, EventLog, recipient_of
from myapp.tui.paged_table import PagedTable
from myapp.tui.table_view import Detail, TableView
from myapp.tui.window import Found
from myapp.tui.wording import Cell, as_json, count, facts, section
from myapp.validation import refusal

NEWS_SECONDS = 0.1  # however many come: more often nobody sees it
CHARACTERS_SHOWN = 300  # of the data on one line, which may have 64 KiB
MISSING = "some are missing here"


def user_of(told: Told) -> str | None:
    return str(told.event.user_id) if told.event.user_id else None


def same_recipient(told: Told) -> str | None:
    return None if told.event.type == RESYNC else f"user:{recipient_of(told.event)}"


async def read_form(features: Features, values: Mapping[str, str]) -> NewEvent:
    """What was filled in, with the id of the user in place of their email. Raises Invalid."""
    asked: dict[str, Any] = {"user_id": None, "type": values["type"], "data": {}}
    faults: list[FieldError] = []
    try:
        asked["user_id"] = await user_id_of(features, values["user_id"])
    except NotFound as error:
        faults.append(FieldError("user_id", error.text))
    try:
        asked["data"] = json.loads(values["data"])
    except ValueError as error:
        faults.append(FieldError("data", f"is no JSON: {error}"))
    try:
        event = NewEvent.model_validate_json(json.dumps(asked))
    except ValidationError as error:
        faults += refusal(error, "").details
    if faults:
        raise Invalid("The event is not valid", details=faults)
    return event


async def user_id_of(features: Features, typed: str) -> str | None:
    """The id of who holds this address as verified, or else what was typed. Raises NotFound."""
    if "@" not in typed:
        return typed or None
    return str((await features.get(UserModule).administration.get_by_email(typed)).id)


async def ask_to_send(features: Features, event: NewEvent) -> str:
    module = features.get(EventModule)
    try:
        user = await module.publishing.find_recipient(event)
    except NotFound as error:
        raise Invalid(details=[FieldError("user_id", error.text)]) from None
    later = "Who comes back within 24 hours gets it then."
    if user is None:
        streams = count(await module.streams.total(), "stream is open", "streams are open")
        return f"Send {event.type} to everybody?\n\n{streams} now and will get it. {later}"
    state = "" if user.status is UserStatus.ACTIVE else f", who is {user.status}"
    return (
        f"Send {event.type} to user {user.email or user.id}{state}?\n\n"
        f"All open streams of {user.id} will get it, and nobody else. {later}"
    )


async def send(features: Features, event: NewEvent, actor: Actor) -> str:
    await features.get(EventModule).publishing.publish(event, actor=actor)
    return f"{event.type} is sent to {event.user_id or EVERYBODY}"


SEND = FormAction[NewEvent](
    key="n",
    verb="Send an event",
    fields=(
        Field(name="user_id", label="To", hint="a user's id or email; empty is everybody"),
        Field(name="type", label="Type", hint="such as order.shipped"),
        Field(name="data", label="Data", hint="a JSON object", value="{}"),
    ),
    read=read_form,
    question=ask_to_send,
    call=send,
)


class EventsView(TableView[Told]):
    """The newest events of all users, those first that came last."""

    NAME = "events"
    TITLE = "Events"
    KEY = "7"
    NOUN = ("event", "events")
    NOTES = (
        "/ takes user:ID, user:everybody and type:NAME, each by how it begins, and a text: any part"
        " of an id, a type or the data. On the first line the newest event stays in sight; on any"
        " other the cursor stays on its event (g goes back). p freezes the list and counts what"
        " comes meanwhile. y copies the event as JSON. Times are UTC."
    )
    FIELDS = ("user", "type")
    COLUMNS = (
        Column("Time", 12),
        Column("Type", 21),
        Column("To", 14),
        Column("Data"),
    )
    FORMS = (SEND,)
    LINKS = (
        Link[Told](key="u", name="User", view="users", filter=user_of),
        Link[Told](key="o", name="User's jobs", view="jobs", filter=user_of),
        Link[Told](
            key="a",
            name="User's audit",
            view="audit",
            filter=lambda told: f"target_id:{told.event.user_id}" if told.event.user_id else None,
        ),
        Link[Told](key="e", name="All to the same", view="events", filter=same_recipient),
        Link[Told](
            key="i",
            name="All of this type",
            view="events",
            filter=lambda told: f"type:{told.event.type}",
        ),
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("p", "pause", "Pause / go on")]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.history = EventLog()
        self._found: Sequence[Told] = ()
        self._source = desk.features.get(EventModule).streams.watch(self._note_news)
        self._is_news_due = False
        self._feed = Static(markup=False, classes="above feed")

    def compose_above(self) -> Sequence[Widget]:
        return (self._feed,)

    def on_unmount(self) -> None:
        self._source.rest()

    # What comes.

    def _note_news(self) -> None:
        """Reads soon, or not before somebody looks: history keeps it until then."""
        if not self.is_seen():
            self._source.rest()
        elif not self._is_news_due:
            self._is_news_due = True
            asyncio.get_running_loop().call_later(NEWS_SECONDS, self.wake)

    async def refresh_view(self) -> None:
        """Reads and shows one page: where events never cease, there is no end to wait for."""
        self._is_news_due = False
        await self._source.listen()
        try:
            self.history.take(await self._source.read())
        except Unavailable:
            await self._show()  # what is here may be filtered and opened all the same
            raise
        await self._show()
        if self._source.is_behind:
            self.wake()

    async def _show(self) -> None:
        self._found = self.history.shown(self.filter)
        if self.opened is None or self.opened.row.key != self._opening:
            await super().refresh_view()
        self.show_feed()

    async def load(self, page: int, per_page: int) -> Found[Told]:
        start = (page - 1) * per_page
        return Found(self._found[start : start + per_page], len(self._found))

    def looked_at(self) -> range:
        """All there is: it is in memory anyway, and the cursor's row is among it."""
        return range(len(self._found))

    def _cursor_key(self) -> str | None:
        """On the first line the cursor belongs to no event: whatever is the newest comes there."""
        return super()._cursor_key() if self.table.cursor else None

    # What is shown.

    def key_of(self, row: Told) -> str:
        return row.key

    def name_of(self, row: Told) -> str:
        return f"{row.event.type} to {recipient_of(row.event)}"

    def cells(self, row: Told) -> Sequence[Cell]:
        if row.event.type == RESYNC:
            return clock(row.at), Text(RESYNC, "bold yellow"), "", Text(MISSING, "yellow")
        to = Text(recipient_of(row.event), "" if row.event.user_id else "cyan")
        return clock(row.at), row.event.type, to, beginning(row)

    async def describe(self, key: str) -> Detail[Told]:
        told = self.history.find(key)
        if told is None:
            raise NotFound(f"This event is no longer among the newest {KEPT:,}")
        return Detail(told, body_of(told))

    async def report(self, error: AppError | None) -> None:
        await super().report(error)
        self.show_feed()

    @on(PagedTable.Looked)
    def show_feed(self) -> None:
        """Whether what is on the screen moves."""
        if isinstance(self._fault, Unavailable):
            line = Text.assemble(("NOT LIVE", "bold red"), "  these came before")
        elif self.history.frozen is not None:
            waiting = self.history.waiting(self.filter)
            number = f"{waiting:,}{'+' if waiting == KEPT else ''}"
            line = Text.assemble(("PAUSED", "bold yellow"), f"  {number} came meanwhile; p goes on")
        elif self.table.cursor:
            line = Text.assemble(
                ("LIVE", "bold green"), "  the cursor stays on its event; g follows the newest"
            )
        else:
            line = Text.assemble(("LIVE", "bold green"), "  following the newest")
        self._feed.update(line)

    # What people do.

    def action_pause(self) -> None:
        self.history.turn()
        self.show_feed()
        self.wake()

    def action_copy(self) -> None:
        if (told := self.current) is not None:
            self.app.copy_to_clipboard(text_of(told))
            self.notify("Copied the event as JSON")


def clock(time: datetime) -> str:
    """To the millisecond; nothing here is older than a day."""
    return f"{time:%H:%M:%S}.{time.microsecond // 1000:03}"


def beginning(told: Told) -> str:
    """As much of the data as may be shown on a line. A character may be cut at its end."""
    return told.event.data[:CHARACTERS_SHOWN].decode(errors="ignore")


def text_of(told: Told) -> str:
    """What an administrator's stream says, on one line."""
    return json.dumps(
        {
            "id": told.id,
            "type": told.event.type,
            "user_id": user_of(told),
            "data": json.loads(told.event.data),
        },
        ensure_ascii=False,
    )


def body_of(told: Told) -> RenderableType:
    if told.event.type == RESYNC:
        return Text(
            "Events before this one are missing: history does not reach back to them. It is kept in"
            " Redis, for 24 hours and a thousand events, and may have been lost with it."
        )
    return Group(
        facts(
            (
                ("Type", told.event.type),
                ("Told", f"{told.at:%Y-%m-%d} {clock(told.at)}Z"),
                ("To", recipient_of(told.event)),
                ("Id", told.id),
                ("Size", f"{len(told.event.data):,} bytes"),
            )
        ),
        section("Data", as_json(json.loads(told.event.data))),
    )
