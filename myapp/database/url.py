"""`DATABASE_URL`, read into what a driver takes.

SQLite is `sqlite://relative.db` or `sqlite:///absolute.db`; servers are
`scheme://user:password@host:port/name?options`, with reserved characters percent-encoded.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import SplitResult, parse_qsl, unquote

from myapp.config import TO_ENCODE, ConfigError, Settings, port_of, split_url

Dialect = Literal["sqlite", "postgres", "mysql"]

CHECKOUT_SECONDS = 5.0  # the longest wait for a connection, new or in use
STATEMENT_SECONDS = 30.0  # as long as a shutdown lasts: no request waits longer for a lost server
POOL_SIZE = 10  # of a process; PostgreSQL's default of 100 connections serves nine of them
MIGRATION_CONNECTIONS = 2  # for the lock, and for the statements
IDLE_SECONDS = 300.0  # shorter than what firewalls and MySQL's wait_timeout allow
BUSY_MILLISECONDS = 5000

DIALECTS: Mapping[str, Dialect] = {
    "sqlite": "sqlite",
    "postgres": "postgres",
    "postgresql": "postgres",
    "mysql": "mysql",
}
PORTS: Mapping[Dialect, int] = {"postgres": 5432, "mysql": 3306}
TLS_OPTIONS = ("ssl", "sslmode", "ssl-mode", "sslrootcert", "ssl-ca")
SERVER_OPTIONS = ("pool_size", *TLS_OPTIONS)
OPTIONS: Mapping[Dialect, tuple[str, ...]] = {
    "sqlite": (),
    "postgres": (*SERVER_OPTIONS, "application_name", "statement_cache_size", "host"),
    "mysql": (*SERVER_OPTIONS, "unix_socket"),
}
TLS_MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")
TLS_ALIASES = {
    "true": "require",
    "1": "require",
    "false": "disable",
    "0": "disable",
    "allow": "prefer",
    "disabled": "disable",
    "preferred": "prefer",
    "required": "require",
    "verify-identity": "verify-full",
}


@dataclass(frozen=True, slots=True)
class Target:
    """A database and how to reach it: `credentials` are the engine's arguments."""

    dialect: Dialect
    credentials: Mapping[str, Any] = field(repr=False)

    def for_migrations(self) -> Self:
        """The same, for statements that may take long and tables that are rebuilt.

        SQLite empties what refers to a table that is dropped, unless foreign keys are off. On a
        server the lock keeps a connection, so that the work needs a second one.
        """
        changes: dict[str, Any] = {"statement_seconds": None}
        if self.dialect == "sqlite":
            changes["foreign_keys"] = "OFF"
        else:
            changes["maxsize"] = max(MIGRATION_CONNECTIONS, self.credentials["maxsize"])
        return replace(self, credentials={**self.credentials, **changes})


def parse_target(settings: Settings) -> Target:
    """What `DATABASE_URL` names; without one, `app.db` in the data folder.

    Raises ConfigError with one line that names the variable and never shows the password.
    """
    if settings.database_url is None:
        return sqlite_target(settings.data_dir / "app.db")
    try:
        return parse_url(settings.database_url.get_secret_value())
    except ValueError as error:
        raise ConfigError(f"DATABASE_URL: {error}") from None


def parse_url(url: str) -> Target:
    """Raises ValueError with what is wrong, without the value itself."""
    scheme, separator, rest = url.partition("://")
    dialect = DIALECTS.get(scheme)
    if not separator or dialect is None:
        raise ValueError("starts with " + ", ".join(f"{name}://" for name in DIALECTS))
    if dialect == "sqlite":
        return parse_sqlite(rest)
    return parse_server(dialect, url)


def parse_sqlite(rest: str) -> Target:
    path, _, query = rest.partition("?")
    read_options("sqlite", query)
    if not path or path.endswith("/") or ":memory:" in path:
        raise ValueError("names a file: sqlite://relative.db or sqlite:///absolute.db")
    return sqlite_target(Path(unquote(path)))


def sqlite_target(path: Path) -> Target:
    credentials = {
        "file_path": str(path.absolute()),
        "checkout_seconds": CHECKOUT_SECONDS,
        "statement_seconds": STATEMENT_SECONDS,
        "busy_timeout": BUSY_MILLISECONDS,  # first, so that it holds for those that follow
        "journal_mode": "WAL",
        # NORMAL is as safe when the process dies, but loses the last commits in a power cut.
        "synchronous": "FULL",
        "foreign_keys": "ON",
    }
    return Target("sqlite", credentials)


def parse_server(dialect: Dialect, url: str) -> Target:
    parts = split_url(url)
    port = port_of(parts)
    if parts.fragment or len(path := parts.path.removeprefix("/")) == 0 or "/" in path:
        raise ValueError(
            f"ends with one database name, and has {TO_ENCODE} in a password percent-encoded"
        )
    options = read_options(dialect, parts.query)
    credentials = {
        "user": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "host": parts.hostname,
        "port": port or PORTS[dialect],
        "database": unquote(path),
        "checkout_seconds": CHECKOUT_SECONDS,
        "statement_seconds": STATEMENT_SECONDS,
        "minsize": 0,  # the first query connects: a program starts without its server
        "maxsize": read_number(options, "pool_size", POOL_SIZE, least=1),
    }
    driver = postgres_options if dialect == "postgres" else mysql_options
    return Target(dialect, {**credentials, **driver(parts, options)})


def postgres_options(parts: SplitResult, options: Mapping[str, str]) -> dict[str, Any]:
    mode = tls_mode(options)
    return {
        "host": parts.hostname or options.get("host"),  # a socket's folder stands in the query
        "timeout": CHECKOUT_SECONDS,
        "max_inactive_connection_lifetime": IDLE_SECONDS,
        "application_name": options.get("application_name", "myapp"),
        # 0 is for PgBouncer, which mixes up the prepared statements of its clients.
        "statement_cache_size": read_number(options, "statement_cache_size", 100),
        "ssl": tls_context(mode, options) if mode.startswith("verify") else mode,
    }


def mysql_options(parts: SplitResult, options: Mapping[str, str]) -> dict[str, Any]:
    mode = tls_mode(options)
    if not parts.username:
        raise ValueError("names a user: mysql://user@host/name")
    return {
        "host": parts.hostname or "localhost",
        "password": unquote(parts.password or ""),
        "unix_socket": options.get("unix_socket"),
        "connect_timeout": CHECKOUT_SECONDS,
        "pool_recycle": int(IDLE_SECONDS),
        # The driver has no "encrypt if you can": without a demand it does not encrypt.
        "ssl": None if mode in ("disable", "prefer") else tls_context(mode, options),
    }


def read_options(dialect: Dialect, query: str) -> dict[str, str]:
    options = {name.replace("ssl_", "ssl-"): value for name, value in parse_qsl(query)}
    if unknown := sorted(options.keys() - set(OPTIONS[dialect])):
        known = ", ".join(OPTIONS[dialect]) or "none"
        raise ValueError(f"has the option {unknown[0]}; known ones: {known}")
    return options


def read_number(options: Mapping[str, str], name: str, default: int, *, least: int = 0) -> int:
    text = options.get(name, str(default))
    if not re.fullmatch(r"\d{1,4}", text) or int(text) < least:
        raise ValueError(f"has an option {name} that is no number from {least}")
    return int(text)


def tls_mode(options: Mapping[str, str]) -> str:
    given = next((options[name] for name in TLS_OPTIONS[:3] if name in options), "prefer")
    mode = given.lower().replace("_", "-")
    mode = TLS_ALIASES.get(mode, mode)
    if mode == "require" and authority_of(options):
        mode = "verify-ca"  # as libpq does
    if mode not in TLS_MODES:
        raise ValueError("has a TLS mode that is none of " + ", ".join(TLS_MODES))
    return mode


def authority_of(options: Mapping[str, str]) -> str | None:
    return options.get("sslrootcert") or options.get("ssl-ca")


def tls_context(mode: str, options: Mapping[str, str]) -> ssl.SSLContext:
    """`require` encrypts, `verify-ca` asks whose server it is, `verify-full` for its name too."""
    authority = authority_of(options)
    if authority and not Path(authority).is_file():
        raise ValueError("names a file of certificates that is not there")
    context = ssl.create_default_context(cafile=authority)
    context.check_hostname = mode == "verify-full"
    if mode == "require":
        context.verify_mode = ssl.CERT_NONE
    return context
