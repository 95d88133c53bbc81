"""Who asks."""

import pytest
from httpx import AsyncClient

from tests.conftest import SignIn
from tests.support.people import Person, enter, enter_admin


@pytest.fixture
async def root(client: AsyncClient, sign_in: SignIn) -> Person:
    """An administrator."""
    return await enter_admin(client, sign_in)


@pytest.fixture
async def eve(client: AsyncClient, sign_in: SignIn) -> Person:
    """Somebody else."""
    return await enter(client, sign_in, "eve@example.com")
