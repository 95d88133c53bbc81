"""Who sends and who receives, and a push service that does as it is told."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import pytest
from httpx import AsyncClient

from myapp.database.user import User
from myapp.enums import PushOutcome, UserRole
from myapp.push.base import PushMessage, PushResult
from myapp.resources import Resources
from tests.conftest import Headers, SignIn

MakeUser = Callable[[str], Awaitable[UUID]]


class FakePush:
    """A push service: what it was sent, and an answer by token where it is not SENT."""

    def __init__(self) -> None:
        self.sent: list[tuple[UUID, str]] = []
        self.messages: list[PushMessage] = []
        self.batches: list[int] = []
        self.answers: dict[str, PushResult] = {}

    async def send(self, message: PushMessage, tokens: Sequence[str]) -> Sequence[PushResult]:
        self.batches.append(len(tokens))
        self.messages.append(message)
        results = [self.answers.get(token, PushResult(PushOutcome.SENT)) for token in tokens]
        for token, result in zip(tokens, results, strict=True):
            if result.outcome is PushOutcome.SENT:
                self.sent.append((message.id, token))
        return results

    async def close(self) -> None: ...


@pytest.fixture
def push() -> FakePush:
    return FakePush()


@pytest.fixture
def make_user(client: AsyncClient, sign_in: SignIn) -> MakeUser:
    """`await make_user("ada@example.com")` is the id of somebody who has signed in."""

    async def make(email: str) -> UUID:
        answer = await client.get("/auth/me", headers=sign_in(email))
        return UUID(answer.json()["data"]["id"])

    return make


@pytest.fixture
async def admin(make_user: MakeUser, sign_in: SignIn, resources: Resources) -> Headers:
    user_id = await make_user("root@example.com")
    await User.filter(id=user_id).update(role=UserRole.ADMIN)
    await resources.accounts.announce(user_id)
    return sign_in("root@example.com")


@pytest.fixture
async def ada(make_user: MakeUser) -> UUID:
    return await make_user("ada@example.com")
