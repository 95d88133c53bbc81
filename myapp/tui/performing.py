"""Doing what an action says: asked first, told afterwards, and never while reading only."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from textual.app import App

from myapp.errors import AppError, Unavailable
from myapp.tui.actions import Action, Bulk, FormAction, Secret
from myapp.tui.desk import Desk
from myapp.tui.dialogs import Confirm, Form, ShowSecret
from myapp.tui.wording import count, plain
from myapp.until import end, finish

COUNT_SECONDS = 1.0
FAULTS_SHOWN = 3
READ_ONLY = "Nothing can be changed: the dashboard runs with --readonly"

T = TypeVar("T")
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question is about: what a bulk has settled, and how many those were."""

    settled: Any
    matched: int


class Performer:
    """Performs for one view. Its methods wait for people: call them in a worker of Textual's."""

    def __init__(
        self, app: App[Any], desk: Desk, *, noun: tuple[str, str], progress: Progress
    ) -> None:
        """`noun` is singular and plural; `progress` is told how many of how many are done."""
        self._app = app
        self._desk = desk
        self._noun = noun
        self._progress = progress

    async def on_rows(self, action: Action[Any], rows: Sequence[tuple[str, Any]]) -> bool:
        """Does it to these rows, named so, after asking once; whether the answer was yes."""
        fit = [(name, row) for name, row in rows if action.applies(row)]
        if not self._may_act():
            return False
        if not rows:
            self._say(f"{action.verb}: there is no {self._noun[0]} under the cursor", "warning")
        elif not fit:
            these = f"{self._noun[0]} {rows[0][0]}" if len(rows) == 1 else f"the {self._noun[1]}"
            self._say(f"{action.verb} does not apply to {these} now", "warning")
        elif await self._ask(self._question(action, fit, len(rows)), action.verb):
            doing = self._do(action, fit)
            # Who leaves in the middle has confirmed all of it, but would not see the secrets.
            await (doing if action.reveals else finish(asyncio.create_task(doing)))
            return True
        return False

    async def on_all(self, action: Action[Any], chosen: Any, *, words: str) -> bool:
        """Does it to all that match, after counting them; whether the answer was yes.

        `words` say what matches.
        """
        if not self._may_act():
            return False
        if action.bulk is None:
            self._say(f"{action.verb} is for single {self._noun[1]} only", "warning")
            return False
        asked = await self._settle_and_ask(action, action.bulk, chosen, words)
        if asked:
            await self._do_all(action.bulk, action.done, asked)
        return bool(asked)

    async def _settle_and_ask(
        self, action: Action[Any], bulk: Bulk[Any], chosen: Any, words: str
    ) -> Asked | None:
        """What a yes was said to; None where it was a no, or there is nothing to ask.

        The dialog comes before the count, which may take seconds: what is typed meanwhile is for
        it, and is not an answer. Esc does not wait for the count.
        """
        dialog = Confirm(verb=action.verb)
        answer: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()
        await self._app.push_screen(dialog, answer.set_result)
        counting = asyncio.create_task(self._settle(bulk, chosen))
        try:
            await asyncio.wait((answer, counting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(counting)
        if answer.done():
            return None
        asked = await self._try(counting)
        if not asked or not asked.matched:
            dialog.dismiss(result=False)
            if asked:
                self._say(f"{action.verb} applies to none of {words}", "warning")
            return None
        dialog.ask(
            f"{action.verb} all {count(asked.matched, *self._noun)} that it applies to, of"
            f" {words}?\n\nEach {action.effect}.",
            verb=f"{action.verb} {asked.matched:,}",
        )
        return asked if await answer else None

    async def _settle(self, bulk: Bulk[Any], chosen: Any) -> Asked:
        settled = await bulk.settle(self._desk.features, chosen)
        return Asked(settled, await bulk.count(self._desk.features, settled))

    async def by_form(self, action: FormAction[Any]) -> None:
        """Asks for what it needs, asks again whether to do it, and tells what came of it."""
        if not self._may_act():
            return
        form = Form(action.verb, action.fields, partial(self._do_as_filled_in, action))
        outcome = await self._app.push_screen_wait(form)
        if isinstance(outcome, Secret):
            await self._app.push_screen_wait(ShowSecret(outcome))
        elif outcome is not None:
            self._say(outcome)

    async def _do_as_filled_in(
        self, action: FormAction[Any], values: Mapping[str, str]
    ) -> str | Secret | None:
        """What came of it, None where the answer was no. AppErrors go through."""
        features = self._desk.features
        asked = await action.read(features, values)
        question = await action.question(features, asked)
        if not await self._ask(question, action.verb):
            return None
        return await action.call(features, asked, self._desk.actor)

    def _question(self, action: Action[Any], fit: Sequence[tuple[str, Any]], asked: int) -> str:
        if asked == 1:
            return f"{action.verb} {self._noun[0]} {fit[0][0]}?\n\nIt {action.effect}."
        some = f"{len(fit)} of the {asked}" if len(fit) < asked else f"the {asked}"
        return f"{action.verb} {some} marked {self._noun[1]}?\n\nEach {action.effect}."

    async def _do(self, action: Action[Any], rows: Sequence[tuple[str, Any]]) -> None:
        faults: list[str] = []
        outcome: object = None
        done = 0
        for number, (name, row) in enumerate(rows):
            self._progress(number, len(rows))
            try:
                outcome = await action.call(self._desk.features, row, self._desk.actor)
            except AppError as error:
                faults.append(f"{self._noun[0]} {name}: {error.text}")
                if isinstance(error, Unavailable):
                    break  # each of the others may take as long, and who has left waits for them
                continue
            done += 1
            if action.reveals and isinstance(outcome, Secret):
                await self._app.push_screen_wait(ShowSecret(outcome))
        self._progress(len(rows), len(rows))
        for fault in faults[:FAULTS_SHOWN]:
            self._say(fault, "error")
        if done and len(rows) == 1:
            said = outcome if isinstance(outcome, str) else f"{rows[0][0]} {action.done}"
            self._say(said)
        elif len(rows) > 1:
            self._say(f"{done} of {len(rows)} {self._noun[1]}: each {action.done}")

    async def _do_all(self, bulk: Bulk[Any], done_words: str, asked: Asked) -> None:
        desk, matched = self._desk, asked.matched
        self._progress(0, matched)
        counting = asyncio.create_task(self._count_down(bulk, asked))
        try:
            progress = await self._try(bulk.call(desk.features, asked.settled, matched, desk.actor))
        finally:
            await end(counting)
            self._progress(matched, matched)
        if progress is None:
            return
        left = matched - progress.done
        rest = ""
        if not progress.finished:
            rest = f"; up to {left:,} more follow as the task jobs:bulk"
        elif left > 0:
            rest = f"; the other {left:,} had changed meanwhile"
        self._say(f"{count(progress.done, *self._noun)}: each {done_words}{rest}")

    async def _count_down(self, bulk: Bulk[Any], asked: Asked) -> None:
        """Shows how far it has come, by how many are left."""
        while True:
            await asyncio.sleep(COUNT_SECONDS)
            with suppress(AppError):
                left = await bulk.count(self._desk.features, asked.settled)
                self._progress(max(asked.matched - left, 0), asked.matched)

    def _may_act(self) -> bool:
        if self._desk.readonly:
            self._say(READ_ONLY, "warning")
        return not self._desk.readonly

    async def _ask(self, question: str, verb: str) -> bool:
        return await self._app.push_screen_wait(Confirm(question, verb=verb))

    async def _try(self, asked: Awaitable[T]) -> T | None:
        """What a usecase answers; its errors become notices."""
        try:
            return await asked
        except AppError as error:
            self._say(error.sentence, "error")
            return None

    def _say(self, text: str, severity: Any = "information") -> None:
        self._app.notify(plain(text), severity=severity, markup=False)
