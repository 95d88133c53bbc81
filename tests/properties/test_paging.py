"""Lists by page tokens, while accounts come, go and change between two pages."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from myapp.database.user import User
from myapp.enums import UserStatus
from myapp.grpc.page_tokens import PageTokens
from myapp.modules.user.usecases import AccountFilter, DirectoryUsecase, Place
from myapp.resources import Resources
from tests.support.databases import empty_tables
from tests.support.properties import bounded

START = datetime(2026, 1, 1, tzinfo=UTC)
FILTERS = {"": AccountFilter(), "status=active": AccountFilter(status=UserStatus.ACTIVE)}

moments = st.integers(0, 3)  # few: many accounts are of the same moment
changes = st.one_of(
    st.tuples(st.just("add"), moments),
    st.tuples(st.just("remove"), st.integers(0, 30)),
    st.tuples(st.just("suspend"), st.integers(0, 30)),
    st.tuples(st.just("restore"), st.integers(0, 30)),
)


class Accounts:
    """The rows, and which of them have fitted the filter at every moment."""

    def __init__(self, wanted: AccountFilter) -> None:
        self._wanted = wanted
        self._made: list[UUID] = []
        self.stayed: set[UUID] = set()
        self.fitted: set[UUID] = set()

    async def add(self, moment: int, *, from_the_start: bool = False) -> None:
        user = await User.create()
        await User.filter(id=user.id).update(created_at=START + timedelta(seconds=moment))
        self._made.append(user.id)
        self.fitted.add(user.id)
        if from_the_start:
            self.stayed.add(user.id)

    async def change(self, action: str, number: int) -> None:
        if action == "add":
            await self.add(number)
        elif self._made:
            user_id = self._made[number % len(self._made)]
            if action == "remove":
                await User.filter(id=user_id).delete()
                self.stayed.discard(user_id)
            else:
                status = UserStatus.SUSPENDED if action == "suspend" else UserStatus.ACTIVE
                await User.filter(id=user_id).update(status=status)
                if action == "suspend" and self._wanted.status:
                    self.stayed.discard(user_id)


@bounded(40)
@given(
    st.sampled_from(sorted(FILTERS)),
    st.lists(moments, max_size=12),
    st.lists(st.tuples(st.integers(1, 4), st.lists(changes, max_size=3)), min_size=1, max_size=8),
)
async def test_a_row_that_stays_is_seen_exactly_once(
    resources: Resources,
    text: str,
    begin_with: list[int],
    pages: list[tuple[int, list[tuple[str, int]]]],
) -> None:
    await empty_tables()
    directory, tokens = DirectoryUsecase(), PageTokens(resources.secret)
    accounts = Accounts(FILTERS[text])
    for moment in begin_with:
        await accounts.add(moment, from_the_start=True)
    seen: list[UUID] = []
    token = ""
    for size, between in [*pages, *[(5, [])] * 12]:
        after = tokens.read(token, bound_to=text) if token else None
        found = await directory.find(FILTERS[text], after=after, limit=size)
        seen += [user.id for user in found]
        if not found:
            break
        token = tokens.write(Place.of(found[-1]), bound_to=text)
        for action, number in between:
            await accounts.change(action, number)
    assert len(seen) == len(set(seen))
    assert accounts.stayed <= set(seen) <= accounts.fitted
