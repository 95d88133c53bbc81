"""Firebase as doctor sees it, against a Google of our own."""

import json
import socket

import pytest
from google.auth.exceptions import RefreshError

from myapp.doctor.findings import Status
from myapp.doctor.firebase import look_at_credentials, look_at_identity, look_at_push
from myapp.errors import Unavailable
from tests.doctor.conftest import Google, MakeSettings, by_name


class TestIdentity:
    async def test_certificates_that_come_are_good(
        self, make_settings: MakeSettings, google: Google
    ) -> None:
        settings = make_settings(firebase_project_id="demo")
        (found,) = await look_at_identity(settings, certificates_url=google.url)
        assert found.status is Status.OK
        google.certificates = (500, {})
        with pytest.raises(Unavailable):
            await look_at_identity(settings, certificates_url=google.url)

    async def test_the_local_provider_needs_none(self, make_settings: MakeSettings) -> None:
        settings = make_settings()
        (found,) = await look_at_identity(settings, certificates_url="http://127.0.0.1:9")
        assert found.status is Status.OK
        assert await look_at_credentials(settings) == []

    async def test_an_emulator_is_a_warning(self, make_settings: MakeSettings) -> None:
        with socket.create_server(("127.0.0.1", 0)) as emulator:
            host = f"127.0.0.1:{emulator.getsockname()[1]}"
            settings = make_settings(firebase_project_id="demo", firebase_auth_emulator_host=host)
            (found,) = await look_at_identity(settings)
        assert found.status is Status.WARNING


class TestCredentials:
    async def test_are_tried_out(self, make_settings: MakeSettings, google: Google) -> None:
        settings = make_settings(firebase_credentials=json.dumps(google.key))
        (found,) = await look_at_credentials(settings)
        assert found.status is Status.OK
        assert google.key["client_email"] in found.message

    async def test_that_google_refuses_raise_its_word(
        self, make_settings: MakeSettings, google: Google
    ) -> None:
        google.token = (400, {"error": "invalid_grant", "error_description": "Account not found"})
        settings = make_settings(firebase_credentials=json.dumps(google.key))
        with pytest.raises(RefreshError, match="Account not found"):
            await look_at_credentials(settings)

    async def test_of_another_project_fail(
        self, make_settings: MakeSettings, google: Google
    ) -> None:
        settings = make_settings(
            firebase_project_id="other", firebase_credentials=json.dumps(google.key)
        )
        found = by_name(list(await look_at_credentials(settings)))
        assert found["firebase.project"].status is Status.FAILED

    async def test_that_are_missing_are_a_warning(self, make_settings: MakeSettings) -> None:
        (found,) = await look_at_credentials(make_settings(firebase_project_id="demo"))
        assert found.status is Status.WARNING


async def test_pushes_to_the_log_are_a_warning_in_production_alone(
    make_settings: MakeSettings,
) -> None:
    production = make_settings(
        app_env="production", firebase_project_id="demo", secret_key="x" * 32
    )
    assert (await look_at_push(production))[0].status is Status.WARNING
    assert (await look_at_push(make_settings()))[0].status is Status.OK
