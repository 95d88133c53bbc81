"""What a backup covers: the embedded data folder, and not what settings have moved elsewhere."""

from collections.abc import Iterator

from myapp.config import Settings
from myapp.errors import Conflict


def check_coverage(settings: Settings) -> list[str]:
    """One sentence for each part that lies elsewhere.

    Raises Conflict where the database does: the rest would be no use without it.
    """
    if settings.database_url is not None:
        raise Conflict(
            "DATABASE_URL is set: back up and restore that database with its own tools,"
            " such as pg_dump; this is for the embedded one"
        )
    return list(parts_elsewhere(settings))


def parts_elsewhere(settings: Settings) -> Iterator[str]:
    if settings.redis_url is not None:
        yield "REDIS_URL is set: jobs and the history of events are not part of this"
    if settings.storage_url is not None:
        yield "STORAGE_URL is set: files and pictures are not part of this"
    if settings.secret_key is not None:
        yield "SECRET_KEY is set: keep it yourself"
