"""What can be done with accounts. Every door calls these: one rule for all of them."""

from myapp.modules.user.usecases.administration import AdministrationUsecase
from myapp.modules.user.usecases.avatar import AVATAR_BYTES, AvatarUsecase
from myapp.modules.user.usecases.directory import AccountFilter, DirectoryUsecase, Place
from myapp.modules.user.usecases.grants import GrantUsecase
from myapp.modules.user.usecases.profile import ProfileUsecase
from myapp.modules.user.usecases.purge import PurgeUsecase

__all__ = (
    "AVATAR_BYTES",
    "AccountFilter",
    "AdministrationUsecase",
    "AvatarUsecase",
    "DirectoryUsecase",
    "GrantUsecase",
    "Place",
    "ProfileUsecase",
    "PurgeUsecase",
)
