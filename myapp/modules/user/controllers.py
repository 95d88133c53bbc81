"""HTTP about accounts."""

from uuid import UUID

from quart import request

from myapp.binding import gives, gives_nothing, gives_page, queries, refuses, takes, takes_bytes
from myapp.errors import Conflict, UnsupportedMedia
from myapp.middleware.auth import actor, principal
from myapp.modules.user.dtos import (
    ProfileChanges,
    PublicProfile,
    UserChanges,
    UserQuery,
    UserResponse,
)
from myapp.modules.user.usecases import (
    AVATAR_BYTES,
    AdministrationUsecase,
    AvatarUsecase,
    ProfileUsecase,
)
from myapp.response import Page
from myapp.storage.base import Storage


class ProfileController:
    """The caller's own account, and what others see of it."""

    def __init__(self, profile: ProfileUsecase, *, storage: Storage) -> None:
        self._profile = profile
        self._storage = storage

    @gives(UserResponse)
    async def get_me(self) -> UserResponse:
        """Your account."""
        return await UserResponse.of(principal().user, self._storage)

    @takes(ProfileChanges)
    @gives(UserResponse)
    async def change_me(self, changes: ProfileChanges) -> UserResponse:
        """Change your account.

        Changes the fields that are given and no others; null clears one. A name has at most 255
        characters, a phone number is in E.164.
        """
        user = await self._profile.change(principal().user.id, changes)
        return await UserResponse.of(user, self._storage)

    @refuses(Conflict)
    @gives_nothing
    async def delete_me(self) -> None:
        """Delete your account.

        From now on it answers 403 `account_deleted`. An administrator can restore it for 30 days;
        then it is purged.
        """
        await self._profile.delete(principal().user.id)

    @gives(PublicProfile)
    async def get_user(self, user_id: UUID) -> PublicProfile:
        """The public profile of a user."""
        user = await self._profile.get_public(user_id)
        return await PublicProfile.of(user, self._storage)


class AvatarController:
    """The caller's picture."""

    def __init__(self, avatar: AvatarUsecase, *, storage: Storage) -> None:
        self._avatar = avatar
        self._storage = storage

    @refuses(UnsupportedMedia)
    @takes_bytes
    @gives(UserResponse)
    async def replace_avatar(self) -> UserResponse:
        """Replace your picture.

        The body is the picture itself: PNG, JPEG, GIF or WebP, judged by its content, of at most
        5 MiB.
        """
        request.max_content_length = AVATAR_BYTES
        user = await self._avatar.replace(principal().user.id, request.body)
        return await UserResponse.of(user, self._storage)

    @gives_nothing
    async def remove_avatar(self) -> None:
        """Remove your picture."""
        await self._avatar.remove(principal().user.id)


class AdministrationController:
    """Everybody's accounts, for administrators."""

    def __init__(self, administration: AdministrationUsecase, *, storage: Storage) -> None:
        self._administration = administration
        self._storage = storage

    @queries(UserQuery)
    @gives_page(UserResponse)
    async def list_users(self, query: UserQuery) -> Page[UserResponse]:
        """Find users.

        Deleted users are listed with `status=deleted` only, and found by their id. The newest come
        first unless `sort` says otherwise.
        """
        found = await self._administration.find(query)
        return Page[UserResponse](
            items=[await UserResponse.of(user, self._storage) for user in found.rows],
            page=query.page,
            per_page=query.per_page,
            total=found.total,
        )

    @gives(UserResponse)
    async def get_account(self, user_id: UUID) -> UserResponse:
        """A user's account, also a deleted one."""
        return await UserResponse.of(await self._administration.get(user_id), self._storage)

    @refuses(Conflict)
    @takes(UserChanges)
    @gives(UserResponse)
    async def change_account(self, changes: UserChanges, user_id: UUID) -> UserResponse:
        """Change a user's account.

        Changes the fields that are given and no others. A user who is suspended or demoted loses
        access everywhere within a second. 409 for a deleted user, and for the last active
        administrator, who can be neither suspended nor demoted.
        """
        user = await self._administration.change(user_id, changes, actor())
        return await UserResponse.of(user, self._storage)

    @refuses(Conflict)
    @gives_nothing
    async def delete_account(self, user_id: UUID) -> None:
        """Delete a user's account.

        It can be restored for 30 days; then it is purged. 409 for the last active administrator.
        """
        await self._administration.delete(user_id, actor())

    @refuses(Conflict)
    @gives(UserResponse)
    async def restore_account(self, user_id: UUID) -> UserResponse:
        """Restore a deleted account.

        Its verified email comes back to it unless another account holds it by now.
        """
        user = await self._administration.restore(user_id, actor())
        return await UserResponse.of(user, self._storage)
