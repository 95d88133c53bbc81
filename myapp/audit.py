"""Who did what: every administrative change leaves one record, in the change's own transaction."""

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from myapp.database.audit import (
    ACTOR_CHARACTERS,
    ADDRESS_CHARACTERS,
    TARGET_CHARACTERS,
    ActorType,
    AuditRecord,
)

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks for a change, as the door by which it comes knows them."""

    type: ActorType
    id: str | None = None
    address: str | None = None
    request_id: str | None = None

    @classmethod
    def at_terminal(cls, door: ActorType) -> Self:
        """Who sits at this machine: the operating system's name for the user of the process.

        With sudo that is root: who called it is known from the environment alone, as `LOGNAME` is,
        which says whatever somebody likes.
        """
        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:  # a container's user may have a number only
            name = str(os.getuid())
        return cls(door, name[:ACTOR_CHARACTERS])


SYSTEM = Actor(ActorType.SYSTEM)


class Audit(Protocol):
    """What every usecase that changes something for an administrator is given."""

    async def __call__(
        self,
        actor: Actor,
        action: str,
        *,
        target_type: str,
        target_id: object,
        before: Fields | None = None,
        after: Fields | None = None,
    ) -> None:
        """Adds a record; call it inside the transaction of the change.

        The action is `noun.verbed`. Of `before` and `after` what differs is kept, as JSON; never
        hand over a secret.
        """


async def record_change(
    actor: Actor,
    action: str,
    *,
    target_type: str,
    target_id: object,
    before: Fields | None = None,
    after: Fields | None = None,
) -> None:
    """The Audit of the program: a row in the database."""
    old, new = difference(before, after)
    await AuditRecord.create(
        actor_type=actor.type,
        actor_id=actor.id,
        action=action,
        target_type=target_type,
        target_id=str(target_id)[:TARGET_CHARACTERS],
        before=old,
        after=new,
        request_id=actor.request_id,
        # A trusted proxy sends what it likes.
        address=actor.address[:ADDRESS_CHARACTERS] if actor.address else None,
    )


def difference(before: Fields | None, after: Fields | None) -> tuple[Fields | None, Fields | None]:
    """Both without the fields that are the same in both."""
    if before is None or after is None:
        return before, after
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return (
        {name: before[name] for name in changed if name in before},
        {name: after[name] for name in changed if name in after},
    )
