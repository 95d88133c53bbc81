"""Wrote `folder.tar.gz`, a data folder of the first release, for the test of upgrades.

It ran on the code of d5ead7c, the first commit whose entities and migrations work as a whole (the
migrations themselves came with 1d39ca3, and are the same):

    git worktree add ../first d5ead7c && cp tests/upgrade/make_folder.py ../first
    cd ../first && python make_folder.py folder.tar.gz

What it wrote stays as it is: written anew by later code, it would prove nothing.
"""

# mypy: ignore-errors
# That code is what this fits, and not the present one.

import asyncio
import sys
import tarfile
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from redis.asyncio import Redis

from myapp.config import load_settings
from myapp.database.api_key import ApiKey, Scope
from myapp.database.audit import ActorType, AuditRecord
from myapp.database.connection import open_database
from myapp.database.device import Device, DevicePlatform, hash_token
from myapp.database.file import File, FileStatus
from myapp.database.migrations import apply
from myapp.database.notification import Notification
from myapp.database.outbox import OutboxKind, OutboxRow
from myapp.database.user import User
from myapp.embedded.server import embedded_server
from myapp.enums import UserRole, UserStatus
from myapp.identity.local import LocalProvider, uid_of
from myapp.queue.client import JobQueue
from myapp.queue.tasks import Payload, Task
from myapp.secrets import derive_key, read_or_make
from myapp.storage import open_storage

MOMENT = datetime(2026, 11, 22, 12, 39, tzinfo=UTC)
CONTENT = b"written by the first release\n"


class SendPayload(Payload):
    notification_id: UUID


SEND = Task("notification:send", SendPayload)


async def content() -> AsyncIterator[bytes]:
    yield CONTENT


async def make_people() -> User:
    ada = await User.create(
        id=UUID(int=1),
        identity_uid=uid_of("ada@example.com"),
        claims_at=MOMENT,
        email="Ada@example.com",
        email_key="ada@example.com",
        name="Ada É",
        phone="+442071234567",
    )
    await User.create(
        id=UUID(int=2), email="root@example.com", email_key="root@example.com", role=UserRole.ADMIN
    )
    await User.create(
        id=UUID(int=3),
        identity_uid=uid_of("bob@example.com"),
        email="bob@example.com",
        email_key="bob@example.com",
        status=UserStatus.SUSPENDED,
        suspended_by="admin",
    )
    gone = await User.create(
        id=UUID(int=4), identity_uid=uid_of("carl@example.com"), email_key="carl@example.com"
    )
    gone.mark_deleted(at=MOMENT)
    await gone.save()
    return ada


async def make_rows(ada: User) -> None:
    await AuditRecord.create(
        actor_type=ActorType.CLI,
        action="user.suspend",
        target_type="user",
        target_id=str(UUID(int=3)),
        before={"status": "active"},
        after={"status": "suspended"},
    )
    await ApiKey.create(
        id=UUID(int=5),
        public_id="firstrelease",
        name="mailer",
        scopes=[Scope.NOTIFICATIONS_SEND],
        secret_hash="0" * 64,
        former_secrets=[],
    )
    await Device.create(
        user_id=ada.id,
        token="first",
        token_hash=hash_token("first"),
        platform=DevicePlatform.WEB,
        last_seen_at=MOMENT,
    )
    for number in (6, 7):
        await Notification.create(
            id=UUID(int=number),
            user_id=ada.id,
            title=f"Number {number}",
            body="Ünread",
            data={"a": "b"},
        )
    # One push is on its way in the outbox, the other is in the queue: see `main`.
    payload = SendPayload(notification_id=UUID(int=6)).model_dump_json()
    await OutboxRow.create(kind=OutboxKind.JOB, name=SEND.name, user_id=ada.id, payload=payload)


async def make(folder: Path) -> None:
    settings = load_settings(data_dir=folder)
    LocalProvider(read_or_make(folder / "identity.key"))
    signing_key = derive_key(read_or_make(folder / "secret.key"), "storage")
    await apply(settings)
    async with (
        open_database(settings),
        embedded_server(folder) as url,
        Redis.from_url(url) as redis,
    ):
        ada = await make_people()
        await make_rows(ada)
        await JobQueue(redis).enqueue(SEND, SendPayload(notification_id=UUID(int=7)), key="first")
        async with open_storage(settings, signing_key=signing_key) as storage:
            stored = await storage.put("files/first", content(), content_type="text/plain")
        await File.create(
            id=UUID(int=8),
            user_id=ada.id,
            filename="first.txt",
            content_type="text/plain",
            size=stored.size,
            sha256=stored.sha256,
            status=FileStatus.READY,
            key="files/first",
        )


def main(archive: str) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made, "data")
        asyncio.run(make(folder))
        with tarfile.open(archive, "w:gz") as packed:
            packed.add(folder, "data")


if __name__ == "__main__":
    main(sys.argv[1])
