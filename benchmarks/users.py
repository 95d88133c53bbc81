"""How long a page of GET /admin/users takes among a hundred thousand.

`python -m benchmarks.users`; MYAPP_TEST_DATABASES=sqlite,postgres,mysql names the databases.
"""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from httpx import ASGITransport, AsyncClient
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from myapp.app import create_app
from myapp.database.base import new_id
from myapp.database.connection import transaction
from myapp.database.migrations import apply
from myapp.database.url import Dialect
from myapp.database.user import User, fold
from myapp.enums import UserRole, UserStatus
from myapp.health import Health
from myapp.identity.local import LocalProvider, uid_of
from myapp.logger import configure_logging
from myapp.registry import build
from myapp.resources import Resources, open_resources
from tests.support.databases import dialects, scratch_database, settings_for
from tests.support.valkey import running_valkey

USERS = 100_000
A_BATCH = 5_000
TRIES = 3  # the best of them: what else runs on this machine is not what is measured
ANALYZE = {"sqlite": "ANALYZE", "postgres": "ANALYZE users", "mysql": "ANALYZE TABLE users"}
STATUSES = [UserStatus.SUSPENDED, UserStatus.DELETED, *[UserStatus.ACTIVE] * 98]

QUERIES: list[dict[str, Any]] = [
    {},
    {"page": 2_500},
    {"page": 4_900},
    {"page": 990, "per_page": 100},
    *({"sort": sort, "page": 2_500} for sort in ("created_at", "email", "-email", "name", "-name")),
    {"status": "active", "page": 2_500, "sort": "email"},
    {"status": "suspended"},
    {"status": "deleted", "sort": "name"},
    {"role": "admin"},
    {"role": "user", "page": 2_500},
    {"status": "active", "role": "user", "page": 2_500, "sort": "-name"},
    {"q": "user77777@"},
    {"q": "nobody has this"},
    {"q": "example.com"},
    {"q": "example.com", "page": 2_500, "sort": "name"},
    {"q": "person 1", "status": "active", "sort": "email"},
    {"q": "7"},
]


def make_users() -> Iterator[User]:
    start = datetime(2025, 1, 1, tzinfo=UTC)
    template = vars(User())
    for number in range(USERS):
        email, name = f"user{number}@example.com", f"Person {number * 7919 % USERS}"
        moment = start + timedelta(seconds=number)
        user = User.__new__(User)  # its constructor would take most of this test's time
        fields = {
            "id": new_id(),
            "created_at": moment,
            "updated_at": moment,
            "identity_uid": f"uid-{number}",
            "email": email,
            "email_key": email,
            "name": name,
            "search": fold(f"{email}\n{name}"),
            "status": STATUSES[number % len(STATUSES)],
            "role": UserRole.ADMIN if number % 10_000 == 1 else UserRole.USER,
        }
        vars(user).update(template, **fields)
        yield user


async def measure(client: AsyncClient, headers: dict[str, str], query: dict[str, Any]) -> float:
    """Milliseconds of one page, the best of some tries."""
    best = float("inf")
    for _ in range(TRIES):
        began = time.perf_counter()
        answer = await client.get("/admin/users", headers=headers, params=query)
        best = min(best, time.perf_counter() - began)
        assert answer.status_code == 200, answer.text
    return best * 1000


async def run(dialect: Dialect, folder: Path) -> Table:
    """Fills a scratch database and measures each query through the whole application."""
    with running_valkey() as valkey:
        async with scratch_database(dialect, folder) as url:
            settings = settings_for(url, redis_url=SecretStr(valkey.url), data_dir=folder)
            await apply(settings)
            async with open_resources(settings) as resources:
                return await measure_all(resources)


async def measure_all(resources: Resources) -> Table:
    async with transaction():
        await User.bulk_create(make_users(), batch_size=A_BATCH)
    dialect = resources.database.dialect
    await resources.database.client.execute_query_dict(ANALYZE[dialect])
    health = Health({}, stop=asyncio.Event())
    app: Any = create_app(resources.settings, build(resources), health)
    email = "user50@example.com"
    token = LocalProvider(resources.settings.identity_key_file.read_bytes()).issue(email)
    holder = User.filter(email_key=email)
    await holder.update(identity_uid=uid_of(email), role=UserRole.ADMIN)
    headers = {"Authorization": f"Bearer {token}"}
    table = Table("query", "ms", title=f"GET /admin/users, {USERS:,} users, {dialect}")
    async with AsyncClient(transport=ASGITransport(app), base_url="http://myapp") as client:
        for query in QUERIES:
            table.add_row(str(query), f"{await measure(client, headers, query):.1f}")
    return table


def main() -> None:
    configure_logging("warning", "console")
    for dialect in dialects():
        with TemporaryDirectory() as folder:
            Console().print(asyncio.run(run(dialect, Path(folder))))


if __name__ == "__main__":
    main()
