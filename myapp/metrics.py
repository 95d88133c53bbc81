"""What every process measures of itself, in the format of Prometheus.

A part that measures something has a small class that is given the registry of its process.
"""
# ruff: noqa: SLF001  # the pools of Tortoise's engines are in attributes that begin so

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from myapp.database.connection import Database

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


def measure_process(registry: CollectorRegistry, database: Database) -> None:
    """Has it know of the process, its interpreter and its connections to the database."""
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(PoolCollector(database))


def render(registry: CollectorRegistry) -> bytes:
    """All metrics as text, of the type CONTENT_TYPE."""
    return generate_latest(registry)


@dataclass(frozen=True, slots=True)
class PoolState:
    """Connections of this process: open ones, those in use, and the most that there may be."""

    size: int
    in_use: int
    limit: int


class PoolCollector(Collector):
    """Looks at the database's pool when somebody asks for the metrics."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> list[Metric]:
        """Nothing: the database need not be open yet."""
        return []

    def collect(self) -> Iterator[Metric]:
        state = read_pool(self._database)
        for name, text, value in (
            ("size", "Open connections to the database", state.size),
            ("in_use", "Connections to the database that are in use", state.in_use),
            ("limit", "The most connections to the database", state.limit),
        ):
            yield GaugeMetricFamily(f"database_pool_{name}", text, value=value)


def read_pool(database: Database) -> PoolState:
    """SQLite has one connection; the servers' drivers have pools, opened at their first use."""
    engine: Any = database.client
    if database.dialect == "sqlite":
        return PoolState(int(engine._connection is not None), int(engine._lock.locked()), 1)
    pool, limit = engine._pool, engine.pool_maxsize
    if pool is None:
        return PoolState(0, 0, limit)
    if database.dialect == "postgres":
        return PoolState(pool.get_size(), pool.get_size() - pool.get_idle_size(), limit)
    return PoolState(pool.size, pool.size - pool.freesize, limit)
