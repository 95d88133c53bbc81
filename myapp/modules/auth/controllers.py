"""HTTP at sign-in."""

from myapp.binding import gives, refuses, takes
from myapp.errors import Forbidden, Unauthenticated
from myapp.middleware.rate_limit import RequestLimits
from myapp.modules.auth.dtos import VerifyToken
from myapp.modules.user.dtos import UserResponse
from myapp.storage.base import Storage


class AuthController:
    def __init__(self, *, limits: RequestLimits, storage: Storage) -> None:
        self._limits = limits
        self._storage = storage

    @refuses(Unauthenticated, Forbidden)
    @takes(VerifyToken)
    @gives(UserResponse)
    async def verify_token(self, body: VerifyToken) -> UserResponse:
        """Verify an identity token.

        Answers the user behind the token, who is created at the first sign-in. There is no need
        to call this first: any route does the same with the token in its `Authorization` header.
        """
        principal = await self._limits.sign_in(body.token)
        return await UserResponse.of(principal.user, self._storage)
