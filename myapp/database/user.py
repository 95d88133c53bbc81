"""Accounts."""

import unicodedata
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index, PartialIndex
from tortoise.queryset import QuerySet

from myapp.database.base import Entity
from myapp.database.fields import KeyField
from myapp.database.notification import Notification
from myapp.enums import UserRole, UserStatus
from myapp.errors import Forbidden, NotFound

EMAIL_CHARACTERS = 320  # the longest that an address may be: 64 @ 255
NAME_CHARACTERS = 255
SEARCH_CHARACTERS = 1024  # folding can make a text longer


class User(Entity):
    """Somebody's account.

    `identity_uid` is the provider's id; it is null when an account was granted before its first
    sign-in. `email` is what the provider says, for show and search. `email_key` is the same in
    lower case, and only if it was verified and free: it alone is unique and can be joined to, and
    it is cleared on deletion so that the email is free at once, and remembered in
    `released_email_key`. `claims_at` is the issue time of the newest token whose claims were taken
    over. `suspended_by` says who did it, "admin" or "sync". `avatar_key` is a storage key.
    `search` is what administrators search in; `save()` keeps it, a query's `update()` does not.
    """

    identity_uid = KeyField(128, null=True, unique=True)
    email = fields.CharField(EMAIL_CHARACTERS, null=True)
    email_key = KeyField(EMAIL_CHARACTERS, null=True, unique=True)
    released_email_key = KeyField(EMAIL_CHARACTERS, null=True)
    name = fields.CharField(NAME_CHARACTERS, null=True)
    search = fields.CharField(SEARCH_CHARACTERS, default="")
    phone = fields.CharField(20, null=True)
    avatar_key = fields.CharField(255, null=True)
    # An empty description, or a new member of the enumeration would be a change of the schema.
    status = fields.CharEnumField(UserStatus, "", 16, default=UserStatus.ACTIVE)
    role = fields.CharEnumField(UserRole, "", 16, default=UserRole.USER)
    suspended_by = fields.CharField(16, null=True)
    claims_at = fields.DatetimeField(null=True)
    deleted_at = fields.DatetimeField(null=True, db_index=True)

    class Meta:
        table = "users"
        # A page deep in any order is found, and all rows are counted, in one index alone. What
        # differs by dialect stands in the migration: SQLite's indexes have `search` too, PostgreSQL
        # has one of trigrams for it, and MySQL, which knows no partial ones, has a full last one.
        indexes = (
            Index(fields=("created_at", "id", "status", "role")),
            Index(fields=("email", "id", "status", "role")),
            Index(fields=("name", "id", "status", "role")),
            # A full index on a column with two values would mislead SQLite, which knows no better
            # than that every index narrows a search down.
            PartialIndex(fields=("role", "status"), condition={"role": "admin"}),
        )

    @classmethod
    async def by_identity(cls, uid: str) -> Self | None:
        """The account that this identity signs in to."""
        return await cls.get_or_none(identity_uid=uid)

    @classmethod
    async def lock(cls, user_id: UUID) -> Self:
        """The account for a change, held until the transaction ends. Raises NotFound."""
        user = await cls.filter(id=user_id).select_for_update().first()
        if user is None:
            raise NotFound("There is no such user")
        return user

    @classmethod
    async def lock_active(cls, user_id: UUID) -> Self:
        """The same for somebody's own account. Raises NotFound, and Forbidden as `check_active`.

        Who they are was remembered: another process may have suspended them since.
        """
        user = await cls.lock(user_id)
        user.check_active()
        return user

    @classmethod
    async def lock_administrators(cls, *, also: UUID | None = None) -> list[Self]:
        """The active administrators, held until the transaction ends, together with `also`.

        Who may take somebody from among them calls this before any other lock, with `also` for
        that account. All are locked by one statement in the order of their ids, so that of two who
        meet one waits for the other, and then sees whom it has left.
        """
        active = cls.filter(role=UserRole.ADMIN, status=UserStatus.ACTIVE)
        ids = {*await active.values_list("id", flat=True), *([also] if also else [])}
        locked = await cls.filter(id__in=ids).order_by("id").select_for_update()
        return [user for user in locked if user.administers]

    @classmethod
    async def lock_prepared(cls, key: str | None, *, also: UUID) -> Self | None:
        """The account that waits for the first sign-in with this address, for `also` to take over.

        Both are held until the transaction ends, locked as `lock_administrators` does it: call this
        before any other lock.
        """
        waiting = cls.filter(email_key=key, identity_uid=None).exclude(id=also)
        found = await waiting.first() if key else None
        if found is None:
            return None
        locked = await cls.filter(id__in=[also, found.id]).order_by("id").select_for_update()
        # Before it was locked somebody may have signed in to it, or deleted it.
        waits = (user for user in locked if user.email_key == key and user.identity_uid is None)
        return next(waits, None)

    @classmethod
    def matching(
        cls, *, statuses: Iterable[UserStatus], role: UserRole | None = None, q: str = ""
    ) -> QuerySet[Self]:
        """Accounts of any of these statuses, with `q` in their email or name in any case."""
        found = cls.filter(status__in=tuple(statuses))
        if role is UserRole.ADMIN:
            found = found.filter(role=role)
        elif role is not None:
            # Not `role = 'user'`: MySQL would take its index on the role for a short cut, and sort
            # nearly everybody.
            found = found.filter(role__not=UserRole.ADMIN)
        return found.filter(search__contains=fold(q)) if q else found

    @classmethod
    def deleted_before(cls, moment: datetime) -> QuerySet[Self]:
        """Accounts that were deleted before that moment."""
        return cls.filter(status=UserStatus.DELETED, deleted_at__lt=moment)

    @property
    def administers(self) -> bool:
        """Whether this is an active administrator."""
        return self.role is UserRole.ADMIN and self.status is UserStatus.ACTIVE

    def check_active(self) -> None:
        """Raises Forbidden for an account that may not be used; it is for its owner to read."""
        if self.status is UserStatus.SUSPENDED:
            raise Forbidden("This account is suspended", code="account_suspended")
        if self.status is UserStatus.DELETED:
            raise Forbidden("This account was deleted", code="account_deleted")

    def may_take_over(self, prepared: Self) -> bool:
        """Not where the suspension of either would cost an active administrator, maybe the last."""
        both_active = self.status is UserStatus.ACTIVE and prepared.status is UserStatus.ACTIVE
        return both_active or not (self.administers or prepared.administers)

    async def take_over(self, prepared: Self) -> bool:
        """Joins what was prepared for this very person, who had an account already; whether it may.

        Its role and its suspension are this account's from now on, and the caller's to save. Its
        row is deleted, so that the address is free. Its inbox is moved but for what this account
        was told as well, as all were.
        """
        if not self.may_take_over(prepared):
            return False
        if prepared.role is UserRole.ADMIN:
            self.role = prepared.role
        if prepared.status is UserStatus.SUSPENDED:
            self.status, self.suspended_by = prepared.status, prepared.suspended_by
        self.name, self.phone = self.name or prepared.name, self.phone or prepared.phone
        await Notification.move(prepared.id, to=self.id)
        await prepared.delete()
        return True

    def mark_deleted(self, *, at: datetime) -> None:
        """Closes the account; its verified address is free for another one."""
        self.status = UserStatus.DELETED
        self.deleted_at = at
        self.released_email_key, self.email_key = self.email_key, None

    async def mark_restored(self) -> None:
        """Opens the account again, with its verified address if that is still free.

        Saving raises IntegrityError when somebody takes the address in this very moment.
        """
        self.status = UserStatus.ACTIVE
        self.deleted_at = self.suspended_by = None
        key, self.released_email_key = self.released_email_key, None
        if key and not await type(self).exists(email_key=key):
            self.email_key = key

    @classmethod
    async def by_email(cls, email: str) -> Self | None:
        """The account that holds this address as verified, in whatever case it is written."""
        return await cls.get_or_none(email_key=email_key(email))

    async def save(self, *args: Any, **options: Any) -> None:
        self.search = fold(f"{self.email or ''}\n{self.name or ''}")[:SEARCH_CHARACTERS]
        await super().save(*args, **options)


def email_key(email: str) -> str:
    """The form in which an address is unique."""
    return email.strip().lower()


def fold(text: str) -> str:
    """The form in which texts that people take for the same are the same, whatever the dialect."""
    return unicodedata.normalize("NFC", text.casefold())
