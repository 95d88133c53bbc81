"""What the peers share: their users in SQLite, by SQLAlchemy.

`PEER_DATABASE` is the path of the file, `PEER_SECRET` what tokens are signed with.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import String, event
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

DATABASE = os.environ.get("PEER_DATABASE", "")
SECRET = os.environ.get("PEER_SECRET", "")
AUDIENCE = "myapp"
ISSUER = "myapp-local"


class Base(DeclarativeBase):
    """The peers' models."""


class User(Base):
    """An account, with what `GET /auth/me` answers."""

    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    identity_uid: Mapped[str] = mapped_column(String(128), unique=True)
    email: Mapped[str | None] = mapped_column(String(320))
    name: Mapped[str | None] = mapped_column(String(255))
    phone: Mapped[str | None] = mapped_column(String(20))
    avatar_url: Mapped[str | None] = mapped_column(String(255))
    status: Mapped[str] = mapped_column(String(16), default="active")
    role: Mapped[str] = mapped_column(String(16), default="user")
    created_at: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC))


def open_engine(path: str = DATABASE) -> AsyncEngine:
    """The database as ours has it: write-ahead log, and one fsync less for a commit."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")

    @event.listens_for(engine.sync_engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine


async def add_users(path: str, identities: Sequence[tuple[str, str]]) -> None:
    """Makes the table, with a user for each uid and email."""
    engine = open_engine(path)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with async_sessionmaker(engine).begin() as session:
        session.add_all(User(identity_uid=uid, email=email) for uid, email in identities)
    await engine.dispose()
