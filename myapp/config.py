"""The program's settings: read once from the environment and `.env`, and validated at once."""

import json
import os
import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from myapp.enums import AuthProvider, Environment, PushService
from myapp.errors import ConfigError as ConfigError
from myapp.faults import faults

ENV_FILE = ".env"
SECRET_KEY_BYTES = 32
DATABASE_SCHEMES = ("sqlite", "postgres", "postgresql", "mysql")
REDIS_SCHEMES = ("redis", "rediss", "unix")
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
PREFIX = re.compile(r"(/[\w.-]+)*/?", re.ASCII)
SECONDS = {"second": 1, "minute": 60, "hour": 3600}
TO_ENCODE = "/ ? # @ : [ ] and what is not ASCII"  # in a password, for a URL to be read as meant


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` in every `seconds`."""

    count: int
    seconds: int


def parse_rate(value: object) -> object:
    """`N/second`, `N/minute` or `N/hour`; `off` is None."""
    if not isinstance(value, str):
        return value
    if value.strip().lower() == "off":
        return None
    if match := re.fullmatch(r"([1-9]\d{0,8})/(second|minute|hour)", value.strip().lower()):
        return Rate(int(match[1]), SECONDS[match[2]])
    raise ValueError("takes off, N/second, N/minute or N/hour")


def split_commas(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def parse_network(value: object) -> object:
    try:
        return ip_network(value, strict=False) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("takes addresses and networks, such as 10.0.0.0/8") from None


def split_url(url: str) -> SplitResult:
    """The parts of a URL. Raises ValueError, with nothing of the URL in it.

    What urllib says of one that it cannot read repeats parts of it, such as a password.
    """
    try:
        return urlsplit(url)
    except ValueError:
        raise ValueError(
            f"cannot be read: have {TO_ENCODE} in a password percent-encoded"
        ) from None


def port_of(parts: SplitResult) -> int | None:
    """Raises ValueError, with nothing of the URL in it."""
    try:
        return parts.port
    except ValueError:
        raise ValueError(
            f"has a port that cannot be read, or {TO_ENCODE} in a password not percent-encoded"
        ) from None


def check_origin(value: str) -> str:
    parts = split_url(value)
    if value != "*" and (parts.scheme not in ("http", "https") or parts.path or not parts.netloc):
        raise ValueError("takes origins such as https://app.example.com, or *")
    return value


def check_file(path: Path) -> Path:
    """Pydantic's own FilePath raises OSError for a name that is too long."""
    if not os.path.isfile(path):  # noqa: PTH113  # Path's raises it too
        raise ValueError("is no file")
    return path


def check_endpoint(value: str) -> str:
    parts = split_url(value)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("starts with https:// or http://")
    return value


def check_queue(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", value):
        raise ValueError("takes queue names: a-z, 0-9, _ and -, at most 32 characters")
    return value


def url_of(*schemes: str) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        scheme, separator, _ = url.partition("://")
        if not separator or scheme not in schemes:
            raise ValueError("starts with " + " or ".join(f"{scheme}://" for scheme in schemes))
        split_url(url)
        return value

    return AfterValidator(check)


def check_redis(value: SecretStr) -> SecretStr:
    """Refuses what the client would find out late, or read as something else."""
    parts = split_url(value.get_secret_value())
    if parts.scheme == "unix":
        if not parts.path:
            raise ValueError("names a socket: unix:///path/of/the/socket")
        return value
    port_of(parts)
    if not re.fullmatch(r"(/\d*)?", parts.path, re.ASCII):
        raise ValueError("ends with the number of a database, such as /0, or with nothing")
    return value


CommaSeparated = (NoDecode, BeforeValidator(split_commas))
RateLimit = Annotated[Rate | None, NoDecode, BeforeValidator(parse_rate)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(parse_network)]
File = Annotated[Path, AfterValidator(check_file)]
Port = Annotated[int, Field(ge=0, le=65535)]  # 0 takes a free one, which the log names


class Settings(BaseSettings):
    """Every setting, by the name of its environment variable in lower case.

    Source: flags, then the environment, then `.env`, then the default. An empty variable counts
    as unset, as Procfile platforms write it.
    """

    model_config = SettingsConfigDict(
        env_file=ENV_FILE,
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # values may be secrets
    )

    app_env: Environment = Environment.DEVELOPMENT
    host: str = ""
    port: Port = 8000
    grpc_port: Port = 50051
    health_port: Port | None = None
    web_concurrency: Annotated[int, Field(ge=1, le=64)] = 1
    data_dir: Path = Path(".myapp")

    database_url: Annotated[SecretStr, url_of(*DATABASE_SCHEMES)] | None = None
    redis_url: Annotated[SecretStr, url_of(*REDIS_SCHEMES), AfterValidator(check_redis)] | None = (
        None
    )

    firebase_project_id: str | None = None
    firebase_credentials: SecretStr | None = None
    firebase_auth_emulator_host: str | None = None
    auth_provider: AuthProvider = None  # type: ignore[assignment]  # filled in by the validator

    cors_allowed_origins: Annotated[
        tuple[Annotated[str, AfterValidator(check_origin)], ...], *CommaSeparated
    ] = ()
    trusted_proxies: Annotated[tuple[Network, ...], *CommaSeparated] = ()

    storage_url: str | None = None
    s3_endpoint_url: Annotated[str, AfterValidator(check_endpoint)] | None = None
    # What is left out is found as AWS's own tools find it: in its files, or from the machine.
    aws_access_key_id: str | None = None
    aws_secret_access_key: SecretStr | None = None
    aws_session_token: SecretStr | None = None
    aws_region: str | None = None
    push_provider: PushService = None  # type: ignore[assignment]  # filled in by the validator
    secret_key: SecretStr | None = None
    queues: Annotated[
        tuple[Annotated[str, AfterValidator(check_queue)], ...],
        *CommaSeparated,
        Field(min_length=1),
    ] = ("default", "low")
    worker_concurrency: Annotated[int, Field(ge=1, le=1000)] = 10
    drain_seconds: Annotated[float, Field(ge=0, le=20, allow_inf_nan=False)] = 1

    grpc_tls_cert: File | None = None
    grpc_tls_key: File | None = None

    rate_limit_failed_sign_in: RateLimit = Rate(30, 60)
    rate_limit_tickets: RateLimit = Rate(60, 60)
    rate_limit_uploads: RateLimit = Rate(60, 60)
    rate_limit_anonymous: RateLimit = None
    rate_limit_user: RateLimit = None
    rate_limit_key: RateLimit = None

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"

    @property
    def production(self) -> bool:
        return self.app_env is Environment.PRODUCTION

    @property
    def secret_key_file(self) -> Path:
        """Where SECRET_KEY is made when there is none."""
        return self.data_dir / "secret.key"

    @property
    def identity_key_file(self) -> Path:
        """What the local identity provider signs with."""
        return self.data_dir / "identity.key"

    @model_validator(mode="before")
    @classmethod
    def fill_in_defaults(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The defaults that depend on other settings."""
        production = values.get("app_env") == Environment.PRODUCTION
        firebase = any(
            values.get(f"firebase_{name}")
            for name in ("project_id", "credentials", "auth_emulator_host")
        )
        credentials = values.get("firebase_credentials")
        return {
            "host": "0.0.0.0" if production else "127.0.0.1",  # noqa: S104  # a container's door
            "log_format": "json" if production else "console",
            "auth_provider": AuthProvider.FIREBASE if firebase else AuthProvider.LOCAL,
            "push_provider": PushService.FCM if credentials else PushService.LOG,
            **values,
        }

    @model_validator(mode="after")
    def check_together(self) -> Self:
        """What is wrong only in company: each sentence begins with the variable to change."""
        for variable, sentence in (*self._faults(), *self._production_faults()):
            raise ValueError(f"{variable} {sentence}")
        return self

    def _faults(self) -> list[tuple[str, str]]:
        faults = []
        secret = self.secret_key
        if secret and len(secret.get_secret_value().encode()) < SECRET_KEY_BYTES:
            faults.append(("SECRET_KEY", f"needs at least {SECRET_KEY_BYTES} bytes"))
        if self.auth_provider is AuthProvider.FIREBASE and not (
            self.firebase_project_id or self.firebase_credentials
        ):
            faults.append(("FIREBASE_PROJECT_ID", "is needed with AUTH_PROVIDER=firebase"))
        if self.firebase_credentials and (fault := credentials_fault(self.firebase_credentials)):
            faults.append(("FIREBASE_CREDENTIALS", fault))
        if self.push_provider is PushService.FCM and not self.firebase_credentials:
            faults.append(("FIREBASE_CREDENTIALS", "are needed with PUSH_PROVIDER=fcm"))
        if (self.grpc_tls_cert is None) != (self.grpc_tls_key is None):
            missing = "GRPC_TLS_KEY" if self.grpc_tls_cert else "GRPC_TLS_CERT"
            faults.append((missing, "is missing: TLS takes a certificate and its key"))
        if self.storage_url and (fault := storage_fault(self.storage_url)):
            faults.append(("STORAGE_URL", fault))
        if (self.aws_access_key_id is None) != (self.aws_secret_access_key is None):
            missing = "SECRET_ACCESS_KEY" if self.aws_access_key_id else "ACCESS_KEY_ID"
            faults.append((f"AWS_{missing}", "is missing: credentials are both"))
        return faults

    def _production_faults(self) -> list[tuple[str, str]]:
        if not self.production:
            return []
        faults = []
        if self.auth_provider is AuthProvider.LOCAL:
            faults.append(("AUTH_PROVIDER", "local is for development: set up Firebase"))
        if self.firebase_auth_emulator_host:
            faults.append(
                ("FIREBASE_AUTH_EMULATOR_HOST", "is refused in production: it trusts any token")
            )
        if not self.secret_key:
            faults.append(("SECRET_KEY", "is required in production"))
        if (self.database_url is None) != (self.redis_url is None):
            missing = "REDIS_URL" if self.database_url else "DATABASE_URL"
            faults.append((missing, "is missing: production takes both URLs, or neither"))
        return faults


def storage_fault(url: str) -> str | None:
    """What is wrong with the place where files are to be kept."""
    try:
        parts = split_url(url)
    except ValueError as error:
        return str(error)
    if parts.scheme == "s3":
        fits = BUCKET.fullmatch(parts.netloc) and PREFIX.fullmatch(parts.path)
        return None if fits and not parts.query + parts.fragment else "takes s3://bucket/prefix"
    if parts.scheme != "file":
        return "starts with file:/// or s3://"
    return None if parts.path.startswith("/") and not parts.netloc else "takes file:///and/a/folder"


def credentials_fault(credentials: SecretStr) -> str | None:
    """What is wrong with a path to, or the text of, a service account's JSON key."""
    text = credentials.get_secret_value()
    if not text.lstrip().startswith("{"):
        path = Path(text)
        try:
            text = path.read_text()
        except (OSError, ValueError):
            return "is neither a readable file nor JSON"
    try:
        key = json.loads(text)
    except ValueError:
        return "is not valid JSON"
    known = isinstance(key, dict) and key.get("type") == "service_account"
    return None if known else "is no service account key"


def load_settings(**flags: Any) -> Settings:
    """The settings, with `flags` (those that are not None) before the environment.

    Raises ConfigError with one line that names the variable.
    """
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        raise ConfigError(explain(error)) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{ENV_FILE}: is no text in UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{ENV_FILE}: cannot be read: {error.strerror}") from None


def explain(error: ValidationError) -> str:
    """The first fault as one line: the variable's name and what is wrong with it."""
    fault = faults(error)[0]
    variable = fault.field.partition(".")[0].upper()
    return f"{variable}: {fault.message}" if variable else fault.message
