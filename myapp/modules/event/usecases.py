"""What can be done with live events."""

from collections.abc import Callable

from myapp.audit import Actor, Audit
from myapp.database.audit import ActorType
from myapp.database.connection import transaction
from myapp.database.user import User
from myapp.enums import UserStatus
from myapp.errors import NotFound, Unauthenticated
from myapp.events import Event
from myapp.identity.accounts import Accounts
from myapp.identity.authenticator import Principal
from myapp.modules.event.dtos import NewEvent
from myapp.modules.event.validators import EVENT_RULES, encode_data
from myapp.sse.hub import Hub
from myapp.sse.stream import Reader, Stream
from myapp.sse.tickets import Holder, Tickets
from myapp.sse.watch import Watch

Abort = Callable[[], None]


class StreamUsecase:
    """Listening."""

    def __init__(self, *, hub: Hub, accounts: Accounts, tickets: Tickets) -> None:
        self._hub = hub
        self._accounts = accounts
        self._tickets = tickets

    async def issue_ticket(self, principal: Principal) -> str:
        """A ticket for one stream, which ends with the token that it was got with."""
        return await self._tickets.issue(holder_of(principal))

    async def open(
        self, principal: Principal, *, last_event_id: str | None, abort: Abort
    ) -> Stream:
        """A user's own stream. Raises RateLimited over the limit of streams."""
        return await self._open(holder_of(principal), last_event_id=last_event_id, abort=abort)

    async def open_by_ticket(
        self, ticket: str, *, last_event_id: str | None, abort: Abort
    ) -> Stream:
        """The same for the holder of a ticket, which is used up. Raises Unauthenticated."""
        holder = await self._tickets.redeem(ticket)
        user = await self._accounts.get(holder.user_id)
        if user is None:
            raise Unauthenticated("The account behind this ticket is gone")
        user.check_active()
        return await self._open(holder, last_event_id=last_event_id, abort=abort)

    async def open_everything(
        self, principal: Principal, *, last_event_id: str | None, abort: Abort
    ) -> Stream:
        """Everyone's events, for an administrator."""
        return await self._open(
            holder_of(principal), last_event_id=last_event_id, abort=abort, is_admin=True
        )

    def watch(self, on_news: Callable[[], None]) -> Watch:
        """The same for somebody at this machine, who needs no account and asks for it by pages.

        `on_news` is called when there may be more, while it listens.
        """
        return self._hub.watch(on_news)

    async def total(self) -> int:
        """How many streams are open, in all processes. Raises Unavailable."""
        return await self._hub.total_streams()

    async def _open(
        self,
        holder: Holder,
        *,
        last_event_id: str | None,
        abort: Abort,
        is_admin: bool = False,
    ) -> Stream:
        expires_at = holder.expires_at.timestamp()
        reader = Reader(holder.user_id, holder.sign_in, expires_at, is_admin, abort)
        return await self._hub.open(reader, last_event_id=last_event_id)


def holder_of(principal: Principal) -> Holder:
    return Holder(principal.user.id, principal.sign_in, principal.expires_at)


class PublishUsecase:
    """Telling."""

    def __init__(self, *, hub: Hub, accounts: Accounts, audit: Audit) -> None:
        self._hub = hub
        self._accounts = accounts
        self._audit = audit

    async def publish(self, new: NewEvent, *, actor: Actor) -> str:
        """Sends an event to a user or to everybody; returns its id.

        A person's leaves an audit record; a service's events are no administration, and too many.
        Raises Invalid, NotFound for an unknown user, and Unavailable without Redis.
        """
        await self.find_recipient(new)
        if actor.type is not ActorType.API_KEY:
            await self._record(new, actor)
        return await self._hub.publish(Event(new.type, encode_data(new.data), new.user_id))

    async def find_recipient(self, new: NewEvent) -> User | None:
        """Whom it would be sent to, None for everybody. Raises Invalid and NotFound."""
        await EVENT_RULES.check(new)
        if new.user_id is None:
            return None
        user = await self._accounts.get(new.user_id)
        if user is None or user.status is UserStatus.DELETED:
            raise NotFound("There is no such user")
        return user

    async def _record(self, new: NewEvent, actor: Actor) -> None:
        """Before it is sent: one that went out is always on record."""
        async with transaction():
            await self._audit(
                actor,
                "event.sent",
                target_type="user" if new.user_id else "everybody",
                target_id=new.user_id or "everybody",
                after={"type": new.type},
            )
