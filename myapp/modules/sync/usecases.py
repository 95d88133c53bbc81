"""Brings all users in line with the identity provider's list."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from myapp.database.sync import SyncProgress
from myapp.database.user import User
from myapp.enums import UserStatus
from myapp.errors import Conflict, Invalid
from myapp.identity.directory import LOOKUP_UIDS, Directory, Listing, Person
from myapp.modules.sync.change import Action, Change, ChangeUsecase
from myapp.modules.sync.planning import plan_page

NAME = "users"
SEEN = "seen"
RESUMABLE = timedelta(hours=6)  # a sync that died longer ago begins afresh

log = structlog.get_logger()

OnChange = Callable[[Change], None]
OnStep = Callable[[int], None]


def ignore(_: object) -> None:
    """For who does not watch."""


@dataclass(slots=True)
class Run:
    """One sync: where it stands, what it has done, and who watches."""

    progress: SyncProgress
    dry_run: bool
    on_change: OnChange
    on_step: OnStep
    counts: Counter[str] = field(default_factory=Counter)

    def note(self, change: Change) -> None:
        self.counts[change.action.value] += 1
        self.on_change(change)

    async def keep(self) -> None:
        """Whoever takes this sync up goes on from here."""
        if not self.dry_run:
            done = self.progress
            place = {"page_token": done.page_token, "after": done.after, "listed": done.listed}
            await SyncProgress.update_or_create(place, name=NAME)


class SyncUsecase:
    """First every page of the list, and then whom of ours the provider has no more.

    Whoever is to be deleted is asked for by name: not to be on a list that is read for an hour,
    while people come and go, would be too little.
    """

    def __init__(self, directory: Directory, *, change: ChangeUsecase) -> None:
        self._directory = directory
        self._change = change

    async def run(
        self, *, dry_run: bool = False, on_change: OnChange = ignore, on_step: OnStep = ignore
    ) -> Mapping[str, int]:
        """Returns how many people were listed, and how many users changed, by action.

        A sync that died goes on where it was. `on_step` is told of so many more people. With
        `dry_run` nothing is changed. Raises NoDirectory, Unavailable, and Conflict for a list
        that would have everybody deleted.
        """
        progress = SyncProgress(name=NAME) if dry_run else await take_up()
        run = Run(progress, dry_run, on_change, on_step)
        while not progress.listed:
            await self._read_page(run)
        while users := await ours_after(progress):
            await self._find_deleted(run, users)
        if not dry_run:
            await SyncProgress.filter(name=NAME).delete()
        log.info("sync complete", dry_run=dry_run, **run.counts)
        return run.counts

    async def _read_page(self, run: Run) -> None:
        listing = await self._list(run)
        if not listing.people and run.progress.page_token is None:
            await check_nobody_is_lost()
        for change, person in await plan_page(listing.people):
            await self._apply(run, change, person)
        run.counts[SEEN] += len(listing.people)
        run.on_step(len(listing.people))
        run.progress.page_token, run.progress.listed = listing.next, listing.next is None
        await run.keep()

    async def _list(self, run: Run) -> Listing:
        try:
            return await self._directory.list_page(run.progress.page_token)
        except Invalid:
            if run.progress.page_token is None or run.counts[SEEN]:
                raise
        # Another sync left this token, too long ago: the list is read afresh.
        run.progress.page_token = None
        return await self._directory.list_page(None)

    async def _find_deleted(self, run: Run, users: list[User]) -> None:
        uids = {str(user.identity_uid): user for user in users}
        for uid in sorted(await self._directory.find_missing(list(uids))):
            gone = Change(Action.DELETED, uid, uids[uid].email, uids[uid].id)
            await self._apply(run, gone, None)
        run.progress.after = users[-1].id
        await run.keep()

    async def _apply(self, run: Run, change: Change, person: Person | None) -> None:
        if run.dry_run or await self._change.make(change, person):
            run.note(change)


async def take_up() -> SyncProgress:
    """Where a sync that died has left off, or the beginning."""
    found = await SyncProgress.get_or_none(name=NAME)
    if found is None or found.updated_at < datetime.now(UTC) - RESUMABLE:
        return SyncProgress(name=NAME)
    log.info("sync goes on where another one ended", listed=found.listed)
    return found


async def ours_after(progress: SyncProgress) -> list[User]:
    """The next users who have an identity and are not deleted."""
    users = User.filter(identity_uid__isnull=False).exclude(status=UserStatus.DELETED)
    if progress.after is not None:
        users = users.filter(id__gt=progress.after)
    return await users.order_by("id").limit(LOOKUP_UIDS)


async def check_nobody_is_lost() -> None:
    """Raises Conflict: an empty list next to users of ours is another project's, or a mistake."""
    if await ours_after(SyncProgress(name=NAME)):
        raise Conflict("Firebase lists nobody: is this the right project? Nothing was changed")
