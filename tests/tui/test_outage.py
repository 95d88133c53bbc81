"""Redis goes away under the dashboard, and comes back."""

import pytest

from myapp.resources import Resources
from tests.support.valkey import Valkey
from tests.tui.conftest import Sit
from tests.tui.test_jobs import keys, queue_job


@pytest.fixture
def redis_url(own_valkey: Valkey) -> str:
    return own_valkey.url


async def test_a_banner_names_what_is_away_and_the_dashboard_goes_on_by_itself(
    sit: Sit, resources: Resources, own_valkey: Valkey
) -> None:
    await queue_job(resources, "before")
    async with sit() as operator:
        await operator.until(lambda: keys(operator) == ["before"])
        own_valkey.kill()
        await operator.until(lambda: operator.banner.startswith("Redis does not answer"))
        assert keys(operator) == ["before"]
        await operator.press("x")
        await operator.question()
        assert "out of reach" in await operator.confirm()
        own_valkey.start()
        await queue_job(resources, "after")
        await operator.until(lambda: keys(operator) == ["after"] and not operator.banner)
