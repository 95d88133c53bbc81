"""What of the settings is not fit for production, or for several machines."""

import pytest
from pydantic import SecretStr

from myapp.config import Settings
from myapp.doctor.findings import Status
from myapp.doctor.fitness import look_at_fitness, look_at_scaling
from tests.doctor.conftest import MakeSettings, by_name

PRODUCTION: dict[str, object] = {
    "app_env": "production",
    "firebase_project_id": "demo",
    "secret_key": "x" * 32,
    "database_url": SecretStr("postgres://db.example.com/app"),
    "redis_url": SecretStr("rediss://cache.example.com"),
    "storage_url": "s3://bucket/prefix",
    "grpc_tls_cert": __file__,
    "grpc_tls_key": __file__,
}


async def names(settings: Settings) -> set[str]:
    return set(by_name(list(await look_at_fitness(settings))))


async def test_a_newcomers_settings_are_for_development(make_settings: MakeSettings) -> None:
    settings = make_settings()
    found = await look_at_fitness(settings)
    assert {each.status for each in found} == {Status.WARNING}
    assert await names(settings) == {
        *("production.mode", "production.identity", "production.secret_key"),
        "production.embedded",
    }


async def test_settings_for_production_have_nothing_against_them(
    make_settings: MakeSettings,
) -> None:
    settings = make_settings(**PRODUCTION)
    assert await names(settings) == {"production"}
    (machines,) = await look_at_scaling(settings)
    assert (machines.status, machines.advice) == (Status.OK, None)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"cors_allowed_origins": "*"}, "production.cors"),
        ({"host": "127.0.0.1"}, "production.host"),
        ({"app_env": "development", "host": "0.0.0.0"}, "production.host"),
        ({"grpc_tls_cert": None, "grpc_tls_key": None}, "production.grpc"),
        ({"rate_limit_failed_sign_in": "off"}, "production.rate_limits"),
        ({"log_level": "debug"}, "production.log_level"),
        ({"storage_url": None}, "production.embedded"),
    ],
)
async def test_each_unfit_setting_is_named(
    make_settings: MakeSettings, change: dict[str, object], name: str
) -> None:
    assert name in await names(make_settings(**{**PRODUCTION, **change}))


class TestScaling:
    async def test_one_machine_is_no_fault(self, make_settings: MakeSettings) -> None:
        (found,) = await look_at_scaling(make_settings())
        assert found.status is Status.OK
        for variable in ("DATABASE_URL", "REDIS_URL", "STORAGE_URL", "SECRET_KEY"):
            assert variable in (found.advice or "")

    async def test_half_of_it_shared_is_a_warning(self, make_settings: MakeSettings) -> None:
        (found,) = await look_at_scaling(make_settings(**{**PRODUCTION, "storage_url": None}))
        assert found.status is Status.WARNING
        assert "STORAGE_URL" in (found.advice or "")
        assert "DATABASE_URL" not in (found.advice or "")

    @pytest.mark.parametrize("url", ["redis://localhost", "redis://[::1]:6379", "unix:///r.sock"])
    async def test_this_machines_own_server_is_not_shared(
        self, make_settings: MakeSettings, url: str
    ) -> None:
        (found,) = await look_at_scaling(make_settings(**{**PRODUCTION, "redis_url": url}))
        assert "REDIS_URL" in (found.advice or "")
