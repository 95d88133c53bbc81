"""Processes of the hub's, and the users that they know."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import pytest

from myapp.database.base import new_id
from myapp.database.user import User
from myapp.enums import UserRole
from tests.support.hubs import Process, running
from tests.support.valkey import Valkey

AddUser = Callable[..., User]
StartProcess = Callable[..., Awaitable[Process]]


@pytest.fixture
def users() -> dict[UUID, User]:
    """The database, so to speak."""
    return {}


@pytest.fixture
def add_user(users: dict[UUID, User]) -> AddUser:
    def add(*, role: UserRole = UserRole.USER) -> User:
        user = User(id=new_id(), role=role)
        users[user.id] = user
        return user

    return add


@pytest.fixture
def ada(add_user: AddUser) -> User:
    return add_user()


@pytest.fixture
def bob(add_user: AddUser) -> User:
    return add_user()


@pytest.fixture
def admin(add_user: AddUser) -> User:
    return add_user(role=UserRole.ADMIN)


@pytest.fixture
async def start_process(own_valkey: Valkey, users: dict[UUID, User]) -> AsyncIterator[StartProcess]:
    """`await start_process()` makes one more, over the test's own server."""
    async with AsyncExitStack() as stack:

        async def start(**options: Any) -> Process:
            process = Process(own_valkey.url, users, **options)
            return await stack.enter_async_context(running(process))

        yield start


@pytest.fixture
async def one(start_process: StartProcess) -> Process:
    return await start_process()


@pytest.fixture
async def other(start_process: StartProcess) -> Process:
    return await start_process()
