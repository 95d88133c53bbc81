"""The list of checks: a new one is a line here."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from myapp.config import Settings
from myapp.data_folder import refuse_half_restored
from myapp.database.url import parse_target
from myapp.doctor.database import look_at_database
from myapp.doctor.findings import Finding, ok
from myapp.doctor.firebase import look_at_credentials, look_at_identity, look_at_push
from myapp.doctor.fitness import look_at_fitness, look_at_scaling
from myapp.doctor.machine import look_at_disks, look_at_file_limit
from myapp.doctor.permissions import look_at_permissions
from myapp.doctor.redis_server import look_at_redis
from myapp.doctor.running import Check, run_checks
from myapp.doctor.secrecy import Secrecy
from myapp.doctor.storage import look_at_storage
from myapp.storage import local_root

GOOGLE = "Let this machine reach www.googleapis.com and oauth2.googleapis.com"
DISK = "See whether the file systems of DATA_DIR and STORAGE_URL answer"


async def check_up(settings: Settings) -> list[Finding]:
    """Looks at everything at once. Raises ConfigError for what no command would begin with."""
    refuse_half_restored(settings.data_dir)
    refuse_bad_urls(settings)
    checks = checks_of(settings)
    findings = await run_checks(checks, explain=Secrecy(settings).explain)
    return [describe_settings(settings), *findings]


def refuse_bad_urls(settings: Settings) -> None:
    parse_target(settings)
    if not (settings.storage_url or "").startswith("s3:"):
        local_root(settings)


def checks_of(settings: Settings) -> Sequence[Check]:
    """What fails is told by its name and this advice."""
    database = "See that the server of DATABASE_URL runs, and lets this machine and user in"
    redis = "See that the server of REDIS_URL runs, and lets this machine and user in"
    embedded = f"Look into {settings.data_dir / 'valkey' / 'valkey.log'}"
    storage = "See that STORAGE_URL exists, and that the program may write there"
    credentials = f"Make a new key of the service account, or {GOOGLE[0].lower()}{GOOGLE[1:]}"
    return (
        Check("database", database, partial(look_at_database, settings)),
        Check("redis", redis if settings.redis_url else embedded, partial(look_at_redis, settings)),
        Check("storage", storage, partial(look_at_storage, settings)),
        Check("firebase", GOOGLE, partial(look_at_identity, settings)),
        Check("firebase.credentials", credentials, partial(look_at_credentials, settings)),
        Check("push", GOOGLE, partial(look_at_push, settings)),
        Check("disk", DISK, partial(look_at_disks, settings)),
        Check("files", "See ulimit -n", look_at_file_limit),
        Check("permissions", DISK, partial(look_at_permissions, settings)),
        Check("production", "Read the settings again", partial(look_at_fitness, settings)),
        Check("machines", "Read the settings again", partial(look_at_scaling, settings)),
    )


def describe_settings(settings: Settings) -> Finding:
    """A bad setting has ended the command by now."""
    source = "the environment and .env" if Path(".env").is_file() else "the environment"
    message = (
        f"Settings come from {source}: {settings.app_env}, DATA_DIR {settings.data_dir.absolute()}"
    )
    return ok("configuration", message)
