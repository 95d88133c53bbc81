"""What administrators can do with API keys."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from tortoise.expressions import Q

from myapp.audit import Actor, Audit
from myapp.database.api_key import ApiKey
from myapp.database.connection import transaction
from myapp.database.paging import Rows, read_page
from myapp.errors import Conflict
from myapp.identity.api_keys import KeyRing
from myapp.identity.key_format import (
    PREFIX,
    make_key,
    new_public_id,
    parse_key,
)
from myapp.modules.api_key.dtos import ApiKeyQuery, KeyRotation, NewApiKey
from myapp.modules.api_key.validators import NEW_KEY_RULES

log = structlog.get_logger()

KEPT = timedelta(days=30)  # how long a dead key stays in the list


class Issued(NamedTuple):
    """A key as it is stored, and its text, which is nowhere else."""

    row: ApiKey
    text: str


class ApiKeyUsecase:
    """Makes, replaces and ends keys. Each change is in force everywhere within a second."""

    def __init__(self, *, keys: KeyRing, audit: Audit) -> None:
        self._keys = keys
        self._audit = audit

    async def find(self, query: ApiKeyQuery) -> Rows[ApiKey]:
        """One page of the keys that match, the newest first."""
        found = ApiKey.filter(matching(query.q)) if query.q else ApiKey.all()
        return await read_page(found, sort="-created_at", page=query.page, per_page=query.per_page)

    async def get(self, key_id: UUID) -> ApiKey:
        """One key, also one that has ended. Raises NotFound."""
        return await ApiKey.get_one(key_id)

    async def create(self, new: NewApiKey, actor: Actor) -> Issued:
        """Makes a key. Raises Invalid."""
        await NEW_KEY_RULES.check(new)
        public_id = new_public_id()
        text = make_key(public_id)
        async with transaction():
            row = await ApiKey.create(
                public_id=public_id,
                name=new.name,
                scopes=sorted(set(new.scopes)),
                secret_hash=parse_key(text).secret_hash,
                former_secrets=[],
                expires_at=new.expires_at,
            )
            await self._record(actor, "api_key.created", row, after=describe(row))
        log.info("API key created", key_id=str(row.id))
        return Issued(row, text)

    async def revoke(self, key_id: UUID, actor: Actor) -> ApiKey:
        """Ends a key for good; one that has ended already stays as it is. Raises NotFound."""
        async with transaction():
            row = await ApiKey.lock(key_id)
            if row.revoked_at is None:
                before = describe(row)
                row.revoked_at = datetime.now(UTC)
                await row.save()
                await self._record(
                    actor, "api_key.revoked", row, before=before, after=describe(row)
                )
        await self._keys.announce(row.public_id)
        log.info("API key revoked", key_id=str(key_id))
        return row

    async def rotate(self, key_id: UUID, rotation: KeyRotation, actor: Actor) -> Issued:
        """Gives a key a new secret; the old one holds for the overlap.

        Raises NotFound, and Conflict for a key that was revoked or has expired.
        """
        now = datetime.now(UTC)
        async with transaction():
            row = await ApiKey.lock(key_id)
            if row.is_dead(at=now):
                raise Conflict("This key was revoked or has expired: create another one")
            text = make_key(row.public_id)
            overlap = timedelta(seconds=rotation.overlap_seconds)
            row.rotate(parse_key(text).secret_hash, at=now, overlap=overlap)
            await row.save()
            await self._record(actor, "api_key.rotated", row, after=rotation.model_dump())
        await self._keys.announce(row.public_id)
        log.info("API key rotated", key_id=str(key_id))
        return Issued(row, text)

    async def purge(self) -> int:
        """Removes the keys that ended over 30 days ago; returns how many."""
        return await ApiKey.dead_before(datetime.now(UTC) - KEPT).delete()

    async def _record(self, actor: Actor, action: str, row: ApiKey, **fields: Any) -> None:
        await self._audit(actor, action, target_type="api_key", target_id=row.id, **fields)


def matching(text: str) -> Q:
    """Keys with this in their name, or of this id, or that begin so."""
    wanted = Q(name__icontains=text) | Q(public_id__startswith=text.removeprefix(PREFIX))
    with suppress(ValueError):
        wanted |= Q(id=UUID(text))
    return wanted


def describe(key: ApiKey) -> dict[str, Any]:
    """What the audit log may hold of a key."""
    return {
        "name": key.name,
        "prefix": PREFIX + key.public_id,
        "scopes": list(key.scopes),
        "expires_at": in_utc(key.expires_at),
        "revoked_at": in_utc(key.revoked_at),
    }


def in_utc(moment: datetime | None) -> str | None:
    """As the API writes every time."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None
