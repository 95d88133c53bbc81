"""What every connection to Redis is made with."""

from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from myapp.queue.connection import connect_queue
from myapp.resources import connect


@pytest.mark.parametrize("client_of", [connect, connect_queue])
def test_none_reads_the_librarys_version_from_its_files(client_of: Callable[[str], Redis]) -> None:
    pool = client_of("unix:///nonexistent/socket").connection_pool
    first, second = (pool.connection_class(**pool.connection_kwargs) for _ in range(2))
    assert first.driver_info is second.driver_info is not None
