"""What the program has already is not made again."""

import asyncio
from pathlib import Path

import pytest
from quart import Quart

import myapp
from myapp.app import create_app
from myapp.config import Settings
from myapp.health import Health
from myapp.registry import build
from myapp.resources import closed_resources
from myapp.scaffold.clashes import check_free, check_migrated
from myapp.scaffold.names import Names
from myapp.scaffold.refusal import Refused

ROOT = Path(myapp.__file__).parents[1]


@pytest.fixture(scope="module")
def app() -> Quart:
    settings = Settings(_env_file=None)  # type: ignore[call-arg]  # pydantic's own
    features = build(closed_resources(settings))
    return create_app(settings, features, Health({}, stop=asyncio.Event()))


@pytest.mark.parametrize(
    ("one", "many", "said"),
    [
        ("device", None, "myapp/database/device.py is there"),
        ("broadcast", None, "'Broadcast' is a model"),
        ("thing", "push_records", "'push_records' is a table"),
        ("doc", None, "'docs' is a route"),
        ("queue", None, "'list_queues' is an operation"),
        ("cleanup", None, "'cleanup' is a family of tasks"),
        ("thing", "cleanups", "'cleanups' is a field of Module"),
        ("build", None, "'build' is something in myapp/registry.py"),
    ],
)
def test_a_name_that_is_taken_is_refused(app: Quart, one: str, many: str | None, said: str) -> None:
    with pytest.raises(Refused, match=said):
        check_free(Names.parse(one, many=many), ROOT, app=app, tasks=["cleanup:expired"])


@pytest.mark.parametrize("one", ["invoice", "line_item", "category", "client"])
def test_one_that_is_free_is_not(app: Quart, one: str) -> None:
    check_free(Names.parse(one), ROOT, app=app, tasks=["cleanup:expired"])


async def test_a_change_without_a_migration_would_come_along(tmp_path: Path) -> None:
    await check_migrated(ROOT)
    with pytest.raises(Refused, match="makemigrations"):
        await check_migrated(tmp_path)
