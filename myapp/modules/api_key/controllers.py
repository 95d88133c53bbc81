"""HTTP about API keys."""

from uuid import UUID

from quart import request
from quart_schema import document_request

from myapp.binding import gives, gives_nothing, gives_page, queries, read_body, refuses, takes
from myapp.errors import Conflict
from myapp.middleware.auth import actor
from myapp.modules.api_key.dtos import (
    ApiKeyQuery,
    ApiKeyResponse,
    IssuedKey,
    KeyRotation,
    NewApiKey,
)
from myapp.modules.api_key.usecases import ApiKeyUsecase
from myapp.response import Page


class ApiKeyController:
    """The keys of services."""

    def __init__(self, keys: ApiKeyUsecase) -> None:
        self._keys = keys

    @queries(ApiKeyQuery)
    @gives_page(ApiKeyResponse)
    async def list_api_keys(self, query: ApiKeyQuery) -> Page[ApiKeyResponse]:
        """The API keys.

        The newest first, also those that were revoked or have expired within 30 days.
        """
        found = await self._keys.find(query)
        return Page[ApiKeyResponse](
            items=[ApiKeyResponse.of(key) for key in found.rows],
            page=query.page,
            per_page=query.per_page,
            total=found.total,
        )

    @takes(NewApiKey)
    @gives(IssuedKey, status=201)
    async def create_api_key(self, new: NewApiKey) -> IssuedKey:
        """Create an API key.

        The answer holds the key itself, which is shown this once.
        """
        issued = await self._keys.create(new, actor())
        return IssuedKey.with_text(*issued)

    @gives_nothing
    async def revoke_api_key(self, key_id: UUID) -> None:
        """Revoke an API key.

        It is refused everywhere within a second, and for good.
        """
        await self._keys.revoke(key_id, actor())

    @refuses(Conflict)
    @document_request(KeyRotation)
    @gives(IssuedKey)
    async def rotate_api_key(self, key_id: UUID) -> IssuedKey:
        """Replace an API key.

        It keeps its id, name, scopes and expiry. The old key works for `overlap_seconds` more, 10
        minutes by default; with 0 it ends at once, and so does every older one. The body may be
        left out.
        """
        rotation = await read_body(KeyRotation) if await request.get_data() else KeyRotation()
        issued = await self._keys.rotate(key_id, rotation, actor())
        return IssuedKey.with_text(*issued)
