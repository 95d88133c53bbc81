"""How long pages of GET /admin/users take among a thousand users, and among a million.

    python -m benchmarks.users [--few 1000] [--many 1000000] [--rounds 5]

Two programs run side by side, each on a database of its own. MYAPP_TEST_DATABASES names the
dialects (sqlite,postgres,mysql); where it is not SQLite, a hundred thousand take long enough.
"""

import argparse
import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from benchmarks.installation import Installation, new_installation
from benchmarks.measurement import Quantities, Rounds, measure_in_turns, show
from benchmarks.report import Report
from myapp.database.base import new_id
from myapp.database.connection import open_database
from myapp.database.url import Dialect
from myapp.database.user import User, fold
from myapp.enums import UserStatus
from tests.support.databases import create_database, dialects, drop_database, settings_for
from tests.support.program import Program

ADMINISTRATOR = "user0@example.com"
A_BATCH = 5_000
PAGE = 20
FLAT = 2.0  # times as long, at most
STATUSES = [UserStatus.ACTIVE, UserStatus.SUSPENDED, UserStatus.DELETED, *[UserStatus.ACTIVE] * 97]
ANALYZE = {"sqlite": "ANALYZE", "postgres": "ANALYZE users", "mysql": "ANALYZE TABLE users"}

FIRST_PAGES: dict[str, dict[str, Any]] = {
    "the newest": {},
    **{f"by {sort}": {"sort": sort} for sort in ("created_at", "email", "-email", "name", "-name")},
    "the active ones by email": {"status": "active", "sort": "email"},
    "the suspended ones": {"status": "suspended"},
    "the deleted ones by name": {"status": "deleted", "sort": "name"},
    "administrators": {"role": "admin"},
    "no administrators": {"role": "user"},
}
SEARCHES: dict[str, dict[str, Any]] = {
    "search that finds one": {"q": "user777@"},
    "search that finds nobody": {"q": "nobody has this"},
    "search that finds everybody, by name": {"q": "example.com", "sort": "name"},
}
# As make_users does; by hand a million would take minutes.
FILL_SQLITE = """
WITH RECURSIVE counter(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counter WHERE n + 1 < :users),
    person(n, moment, email, name) AS (
        SELECT n, datetime(1735689600 + n, 'unixepoch') || '+00:00', 'user' || n || '@example.com',
            'Person ' || n * 7919 % :users
        FROM counter)
INSERT INTO users
    (id, created_at, updated_at, identity_uid, email, email_key, name, search, status, role)
SELECT printf('0194%04x-%04x-7000-8000-%012x', n >> 16, n & 65535, n), moment, moment,
    'uid-' || n, email, email, name, email || char(10) || lower(name),
    CASE n % 100 WHEN 1 THEN 'suspended' WHEN 2 THEN 'deleted' ELSE 'active' END, 'user'
FROM person WHERE n > 0
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--many", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    report = Report("users", "Pages of GET /admin/users")
    for dialect in dialects():
        with ExitStack() as stack:
            contenders = {
                f"{count:,} users": partial(
                    ask, stack.enter_context(serving(dialect, count)), count
                )
                for count in (options.few, options.many)
            }
            fill_in(report, dialect, measure_in_turns(contenders, options.rounds))
    report.finish()


def queries(count: int) -> dict[str, dict[str, Any]]:
    """Each by what it shows; the deep pages are as deep as so many users are."""
    pages = max(1, count * 98 // 100 // PAGE)
    deep = {"page in the middle": {"page": pages // 2}, "the last page": {"page": pages}}
    return {**FIRST_PAGES, **deep, **SEARCHES}


def ask(http: httpx.Client, count: int) -> Quantities:
    """Milliseconds of each, the second time that it is asked: the first one counts, too."""
    measured: dict[str, float] = {}
    for name, query in queries(count).items():
        for title in (counting(name), name):
            began = time.perf_counter()
            http.get("/admin/users", params=query).raise_for_status()
            measured[title] = (time.perf_counter() - began) * 1000
    return measured


def counting(name: str) -> str:
    return f"{name}, counted anew"


def fill_in(report: Report, dialect: Dialect, rounds: Rounds) -> None:
    few, many = rounds.contenders
    ratios = {name: rounds.ratio(many, few, name).median for name in queries(0)}
    rows = [
        [
            name,
            *(str(rounds.spread(contender, name)) for contender in (few, many)),
            ratios[name],
            rounds.spread(many, counting(name)).high,
        ]
        for name in ratios
    ]
    columns = ["ms, median (lowest..highest)", few, many, "times", f"{many}, counted anew"]
    report.add_table(dialect, columns, rows)
    report.add_values(
        dialect,
        {
            each: {name: rounds.values(each, name) for name in rounds.quantities}
            for each in (few, many)
        },
    )
    slowest = max(FIRST_PAGES, key=lambda name: ratios[name])
    report.add_target(
        f"{dialect}: first pages among {many}, times those among {few} (the worst: {slowest})",
        ratios[slowest],
        at_most=FLAT,
    )
    report.add_note(
        f"A page deep in a list is not flat: what comes before it is skipped, row by row in an "
        f"index, up to half of them ({show(ratios['page in the middle'])} times here). Nor is a "
        f"search, which looks through all names and emails. More than 10,000 are counted anew "
        f"every 5 s, in the time that the last column shows."
    )


@contextmanager
def serving(dialect: Dialect, count: int) -> Iterator[httpx.Client]:
    """A client, signed in as an administrator, of a program with so many users."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        url = asyncio.run(create_database(dialect, Path(folder)))
        try:
            with new_installation(DATABASE_URL=url) as installation:
                prepare(installation, url, dialect, count)
                with installation.serving() as program, signed_in(installation, program) as http:
                    yield http
        finally:
            asyncio.run(drop_database(url))


def prepare(installation: Installation, url: str, dialect: Dialect, count: int) -> None:
    installation.run("migrate")
    installation.run("admin", "grant", ADMINISTRATOR)
    if dialect == "sqlite":
        fill_sqlite(Path(url.removeprefix("sqlite://")), count)
    else:
        asyncio.run(fill(url, count))


@contextmanager
def signed_in(installation: Installation, program: Program) -> Iterator[httpx.Client]:
    token = installation.run("token", ADMINISTRATOR).strip()
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=program.api, headers=headers, timeout=60) as http:
        yield http


def fill_sqlite(path: Path, count: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA cache_size=-400000")  # 400 MB: the indexes of a million
    with connection:
        connection.execute(FILL_SQLITE, {"users": count})
    connection.execute(ANALYZE["sqlite"])
    connection.close()


async def fill(url: str, count: int) -> None:
    async with open_database(settings_for(url)) as database:
        await User.bulk_create(make_users(count), batch_size=A_BATCH)
        await database.client.execute_query_dict(ANALYZE[database.dialect])


def make_users(count: int) -> Iterator[User]:
    """All but the administrator, who is there already."""
    start = datetime(2025, 1, 1, tzinfo=UTC)
    template = vars(User())
    for number in range(1, count):
        email, name = f"user{number}@example.com", f"Person {number * 7919 % count}"
        moment = start + timedelta(seconds=number)
        user = User.__new__(User)  # its constructor would take most of the time
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
        }
        vars(user).update(template, **fields)
        yield user


if __name__ == "__main__":
    main()
