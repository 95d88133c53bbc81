"""A Redis that a test may end."""

import pytest

from tests.support.valkey import Valkey


@pytest.fixture
def redis_url(own_valkey: Valkey) -> str:
    return own_valkey.url
