"""`GET /auth/me` by Litestar and SQLAlchemy: it decodes the token and reads the row each time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from litestar import Litestar, Request, get
from litestar.connection import ASGIConnection
from litestar.security.jwt import JWTAuth, Token
from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker

from benchmarks.peers.database import AUDIENCE, ISSUER, SECRET, User, open_engine

T = TypeVar("T")


class UserResponse(Struct):
    id: UUID
    email: str | None
    name: str | None
    phone: str | None
    avatar_url: str | None
    status: str
    role: str
    created_at: datetime


class Success(Struct, Generic[T]):
    data: T
    success: bool = True


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    engine = open_engine()
    app.state.sessions = async_sessionmaker(engine, expire_on_commit=False)
    yield
    await engine.dispose()


async def retrieve_user(
    token: Token, connection: ASGIConnection[Any, Any, Any, Any]
) -> User | None:
    async with connection.app.state.sessions() as session:
        return await session.scalar(select(User).where(User.identity_uid == token.sub))


@get("/auth/me")
async def get_me(request: Request[User, Token, Any]) -> Success[UserResponse]:
    user = request.user
    return Success(
        UserResponse(
            id=user.id,
            email=user.email,
            name=user.name,
            phone=user.phone,
            avatar_url=user.avatar_url,
            status=user.status,
            role=user.role,
            created_at=user.created_at,
        )
    )


auth = JWTAuth[User](
    token_secret=SECRET,
    retrieve_user_handler=retrieve_user,
    accepted_audiences=[AUDIENCE],
    accepted_issuers=[ISSUER],
    exclude=["/schema"],
)
app = Litestar([get_me], lifespan=[lifespan], on_app_init=[auth.on_app_init])
