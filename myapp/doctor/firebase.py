"""Firebase: the project, its certificates, and credentials that Google accepts."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from myapp.config import Settings
from myapp.doctor.findings import Finding, failed, ok, warning
from myapp.doctor.running import in_daemon_thread
from myapp.enums import AuthProvider, PushService

HTTP_SECONDS = 5.0
CONNECT_SECONDS = 3.0


async def look_at_identity(
    settings: Settings, *, certificates_url: str | None = None
) -> Sequence[Finding]:
    """Who says who a user is, and whether they can be asked. Raises Unavailable."""
    if settings.auth_provider is AuthProvider.LOCAL:
        return [ok("firebase", "Not used: the local identity provider signs users in")]
    if settings.firebase_auth_emulator_host:
        return [await look_at_emulator(settings.firebase_auth_emulator_host)]
    from myapp.identity.certificates import CERTIFICATES_URL, Certificates

    certificates = Certificates(
        in_daemon_thread, url=certificates_url or CERTIFICATES_URL, timeout=HTTP_SECONDS
    )
    try:
        await certificates.ensure()
    finally:
        certificates.close()
    project = settings.firebase_project_id or "the project of its credentials"
    return [ok("firebase", f"Tokens of {project} can be verified: Google's certificates are here")]


async def look_at_emulator(host: str) -> Finding:
    """It accepts unsigned tokens, so that it is for development alone."""
    address, _, port = host.rpartition(":")
    async with asyncio.timeout(CONNECT_SECONDS):
        _, writer = await asyncio.open_connection(address.strip("[]"), int(port))
    writer.close()
    message = f"The Auth emulator at {host} answers: it vouches for any token"
    return warning("firebase", message, "Unset FIREBASE_AUTH_EMULATOR_HOST outside of development")


async def look_at_credentials(settings: Settings) -> Sequence[Finding]:
    """Whether Google gives an access token for the service account's key. Raises its refusal."""
    name = "firebase.credentials"
    if settings.firebase_credentials is None:
        if settings.auth_provider is AuthProvider.LOCAL or settings.firebase_auth_emulator_host:
            return []
        message = "There are none: revoked tokens hold until they expire, and sync has no list"
        advice = "Set FIREBASE_CREDENTIALS to a service account's key"
        return [warning(name, message, advice)]
    from myapp.identity.firebase import read_key

    key = read_key(settings.firebase_credentials.get_secret_value())
    await in_daemon_thread(partial(fetch_token, key))
    found = [ok(name, f"Google accepts the key of {key.get('client_email', 'the account')}")]
    wanted = settings.firebase_project_id
    if wanted and key.get("project_id") not in (None, wanted):
        message = (
            f"The key is of the project {key['project_id']}, and FIREBASE_PROJECT_ID is {wanted}"
        )
        found.append(failed("firebase.project", message, "Use a key of that project"))
    return found


def fetch_token(key: dict[str, Any]) -> None:
    """Blocks. Raises ValueError for a key that is none, and GoogleAuthError."""
    from firebase_admin.credentials import Certificate
    from google.auth.transport.requests import Request

    credential: Any = Certificate(key).get_credential()
    credential.refresh(partial(Request(), timeout=HTTP_SECONDS))


async def look_at_push(settings: Settings) -> Sequence[Finding]:
    """Which way pushes go; whether FCM's credentials work is told of Firebase's."""
    if settings.push_provider is PushService.FCM:
        return [ok("push", "Pushes go to FCM, with Firebase's credentials")]
    message = "Pushes are written to the log and reach no device (PUSH_PROVIDER=log)"
    if settings.production:
        return [warning("push", message, "Set PUSH_PROVIDER=fcm and FIREBASE_CREDENTIALS")]
    return [ok("push", message)]
