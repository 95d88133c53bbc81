"""Accounts: one's own, what others see of it, and what administrators do with it."""

from dataclasses import dataclass

from myapp.audit import record_change
from myapp.module import Module
from myapp.modules.user.usecases import (
    AdministrationUsecase,
    AvatarUsecase,
    DirectoryUsecase,
    GrantUsecase,
    ProfileUsecase,
    PurgeUsecase,
)
from myapp.resources import Resources
from myapp.storage.base import Storage


@dataclass(frozen=True, kw_only=True)
class UserModule(Module):
    profile: ProfileUsecase
    avatar: AvatarUsecase
    administration: AdministrationUsecase
    directory: DirectoryUsecase
    grants: GrantUsecase
    storage: Storage


def init(resources: Resources) -> UserModule:
    """Builds the usecases of accounts; the hourly clean-up purges those deleted long ago."""
    accounts, outbox, storage = resources.accounts, resources.outbox, resources.storage
    administration = AdministrationUsecase(accounts=accounts, outbox=outbox, audit=record_change)
    return UserModule(
        profile=ProfileUsecase(accounts=accounts, outbox=outbox),
        avatar=AvatarUsecase(accounts=accounts, outbox=outbox, storage=storage),
        administration=administration,
        directory=DirectoryUsecase(),
        grants=GrantUsecase(administration, accounts=accounts, audit=record_change),
        storage=storage,
        cleanups={"users": PurgeUsecase(accounts=accounts, storage=storage).purge},
    )
