"""What of the settings is not fit for production, and what keeps them to one machine."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import SecretStr

from myapp.config import Settings
from myapp.doctor.findings import Finding, ok, warning
from myapp.enums import AuthProvider


async def look_at_fitness(settings: Settings) -> Sequence[Finding]:
    """Everything that production would do better without."""
    found = [
        *judge_mode(settings),
        *judge_doors(settings),
        *judge_limits(settings),
        *judge_embedded(settings),
    ]
    return found or [ok("production", "Nothing in the settings is unfit for production")]


def judge_mode(settings: Settings) -> Iterator[Finding]:
    if not settings.production:
        yield warning(
            "production.mode",
            "APP_ENV is development: what is unsafe is allowed, and / serves a page for trying",
            "Set APP_ENV=production wherever other people's data is",
        )
    if settings.auth_provider is AuthProvider.LOCAL:
        yield warning(
            "production.identity",
            f"Whoever reads {settings.identity_key_file} can sign in as anybody",
            "Set FIREBASE_PROJECT_ID or FIREBASE_CREDENTIALS",
        )
    if settings.secret_key is None:
        yield warning(
            "production.secret_key",
            f"SECRET_KEY was made in {settings.secret_key_file}, or will be",
            "Set SECRET_KEY, to the file's content where URLs that were given out should go on",
        )


def judge_doors(settings: Settings) -> Iterator[Finding]:
    local = is_loopback(settings.host)
    if "*" in settings.cors_allowed_origins:
        message = "CORS_ALLOWED_ORIGINS is *: pages of every site may call the API"
        yield warning("production.cors", message, "Name the origins of your own pages")
    if settings.production and local:
        message = f"HOST is {settings.host}: only this machine reaches the program"
        advice = "Unset HOST, unless a proxy on this machine is its only client"
        yield warning("production.host", message, advice)
    if not settings.production and not local:
        message = f"HOST is {settings.host}: other machines reach a program in development mode"
        yield warning("production.host", message, "Unset HOST, or set APP_ENV=production")
    if settings.production and not local and settings.grpc_tls_cert is None:
        message = "gRPC has no TLS: API keys pass the network as they are"
        advice = "Set GRPC_TLS_CERT and GRPC_TLS_KEY, or keep GRPC_PORT to a private network"
        yield warning("production.grpc", message, advice)


def judge_limits(settings: Settings) -> Iterator[Finding]:
    if settings.rate_limit_failed_sign_in is None:
        message = "RATE_LIMIT_FAILED_SIGN_IN is off: tokens and keys may be guessed at any rate"
        yield warning("production.rate_limits", message, "Leave it at 30/minute")
    if settings.production and settings.log_level == "debug":
        message = "LOG_LEVEL is debug: much is written, and more than others should read"
        yield warning("production.log_level", message, "Set LOG_LEVEL=info")


def judge_embedded(settings: Settings) -> Iterator[Finding]:
    parts = {
        "DATABASE_URL": (settings.database_url is None, "the database (SQLite)"),
        "REDIS_URL": (settings.redis_url is None, "the queue (Valkey)"),
        "STORAGE_URL": (settings.storage_url is None, "the files"),
    }
    variables = [name for name, (embedded, _) in parts.items() if embedded]
    if variables:
        names = ", ".join(part for embedded, part in parts.values() if embedded)
        yield warning(
            "production.embedded",
            f"DATA_DIR holds {names}: they live and die with this machine's disk",
            f"Back them up (myapp backup), or set {', '.join(variables)}",
        )


async def look_at_scaling(settings: Settings) -> Sequence[Finding]:
    """What has to change before the roles run on several machines.

    On one machine that is no fault; with some of it shared already, the rest is one to come.
    """
    name = "machines"
    changes = list(changes_for_machines(settings))
    if not changes:
        return [ok(name, "The settings serve several machines alike")]
    advice = f"For several machines set {'; '.join(changes)}"
    shared = is_shared(settings.database_url) or is_shared(settings.redis_url)
    if shared:
        message = "Some parts are shared and others are this machine's own: a second one differs"
        return [warning(name, message, advice)]
    return [ok(name, "The settings are for one machine", advice)]


def changes_for_machines(settings: Settings) -> Iterator[str]:
    if not is_shared(settings.database_url):
        yield "DATABASE_URL to a PostgreSQL or MySQL that all of them reach"
    if not is_shared(settings.redis_url):
        yield "REDIS_URL to a Redis that all of them reach"
    if not settings.storage_url:
        yield "STORAGE_URL to a bucket, or to a file system that all of them mount"
    if settings.secret_key is None:
        yield "SECRET_KEY to the same value on each"
    if settings.auth_provider is AuthProvider.LOCAL:
        yield "FIREBASE_PROJECT_ID, since each machine's local provider has a key of its own"


def is_shared(url: SecretStr | None) -> bool:
    """Whether other machines could reach it: a server, and not by a socket or loopback."""
    if url is None:
        return False
    parts = urlsplit(url.get_secret_value())
    return (
        bool(parts.hostname)
        and parts.scheme not in ("sqlite", "unix")
        and not is_loopback(parts.hostname or "")
    )


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
