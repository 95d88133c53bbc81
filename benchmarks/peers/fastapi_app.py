"""`GET /auth/me` by FastAPI and SQLAlchemy: it decodes the token and reads the row each time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

import jwt
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from benchmarks.peers.database import AUDIENCE, ISSUER, SECRET, User, open_engine

T = TypeVar("T")


class UserResponse(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str | None
    name: str | None
    phone: str | None
    avatar_url: str | None
    status: str
    role: str
    created_at: datetime


class Success(BaseModel, Generic[T]):
    success: bool = True
    data: T


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    engine = open_engine()
    app.state.sessions = async_sessionmaker(engine, expire_on_commit=False)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


async def open_session(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.sessions() as session:
        yield session


async def current_user(
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
    session: Annotated[AsyncSession, Depends(open_session)],
) -> User:
    try:
        claims = jwt.decode(
            credentials.credentials,
            SECRET,
            algorithms=["HS256"],
            audience=AUDIENCE,
            issuer=ISSUER,
        )
    except jwt.PyJWTError:
        raise HTTPException(401, "The token is not genuine") from None
    user = await session.scalar(select(User).where(User.identity_uid == claims["sub"]))
    if user is None:
        raise HTTPException(401, "There is no such user")
    return user


@app.get("/auth/me")
async def get_me(user: Annotated[User, Depends(current_user)]) -> Success[UserResponse]:
    return Success(data=UserResponse.model_validate(user))
