"""Keys by which other services call the API."""

from dataclasses import dataclass

from myapp.audit import record_change
from myapp.identity.api_keys import KeyRing
from myapp.module import Module
from myapp.modules.api_key.usecases import ApiKeyUsecase
from myapp.resources import Resources


@dataclass(frozen=True, kw_only=True)
class ApiKeyModule(Module):
    keys: KeyRing
    administration: ApiKeyUsecase


def init(resources: Resources) -> ApiKeyModule:
    """Builds the administration of keys; the hourly clean-up purges dead ones."""
    usecase = ApiKeyUsecase(keys=resources.api_keys, audit=record_change)
    return ApiKeyModule(
        keys=resources.api_keys,
        administration=usecase,
        cleanups={"api_keys": usecase.purge},
    )
