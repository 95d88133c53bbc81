"""What the program holds open: made in one place, opened in order, closed in reverse."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from tortoise.context import TortoiseContext

from myapp.bus import MessageBus
from myapp.config import SECRET_KEY_BYTES, Settings
from myapp.data_folder import refuse_half_restored
from myapp.database.api_key import ApiKey
from myapp.database.connection import Database, open_database
from myapp.database.migrations import apply, pending
from myapp.database.user import User
from myapp.embedded import embedded_server
from myapp.enums import AuthProvider, PushService
from myapp.errors import ConfigError, Unavailable
from myapp.health import Check
from myapp.identity.accounts import Accounts
from myapp.identity.api_keys import KeyRing
from myapp.identity.base import IdentityProvider
from myapp.identity.directory import AbsentDirectory, Directory
from myapp.identity.local import LocalProvider
from myapp.metrics import measure_process
from myapp.outbox.writing import Outbox
from myapp.push.base import PushProvider
from myapp.push.log import LogProvider
from myapp.queue.client import JobQueue
from myapp.queue.connection import RedisLink, connect_queue
from myapp.rate_limits import RateLimits, rates_of
from myapp.redis_client import make_client, on_demotion
from myapp.secrets import derive_key, read_or_make
from myapp.sse.guard import Standing
from myapp.sse.hub import Hub
from myapp.sse.metrics import StreamMetrics
from myapp.storage import open_storage
from myapp.storage.base import Storage
from myapp.storage.local import LocalStorage
from myapp.storage.signing import UrlSigner

REDIS_SECONDS = 2.0  # a request waits for it

REDIS_PROBE = "myapp:ready"
REDIS_PROBE_MILLISECONDS = 1000
STORAGE_URLS = "storage urls"  # a purpose, for a key of its own


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything that a feature may be built from. Only `init` functions take it apart.

    `secret` is the program's own: what signs or encrypts derives a key from it for its purpose.
    """

    settings: Settings
    secret: bytes
    database: Database
    redis: Redis
    queue_redis: Redis
    queue_link: RedisLink
    bus: MessageBus
    accounts: Accounts
    api_keys: KeyRing
    rate_limits: RateLimits
    hub: Hub
    identity: IdentityProvider
    directory: Directory
    jobs: JobQueue
    outbox: Outbox
    push: PushProvider
    storage: Storage
    metrics: CollectorRegistry

    def checks(self) -> dict[str, Check]:
        """What has to answer for this process to be ready, by the names of the contract."""
        return {
            "database": self.database.ping,
            "redis": self._check_redis,
            "migrations": self._check_migrations,
        }

    async def _check_redis(self) -> None:
        """One that is full, or a replica by now, answers a PING and takes no writes."""
        await self.redis.set(REDIS_PROBE, "", px=REDIS_PROBE_MILLISECONDS)

    async def _check_migrations(self) -> None:
        if await pending(self.database):
            raise Unavailable("Migrations are pending")


@asynccontextmanager
async def open_resources(
    settings: Settings, *, outside: bool = True, metrics: CollectorRegistry | None = None
) -> AsyncIterator[Resources]:
    """Opens everything, and closes it in reverse. What is measured goes to `metrics`.

    Without `outside` there is neither identity provider nor push service nor storage, which take
    half a second to load and which no administration asks.

    Raises ConfigError for what cannot work with these settings, and Unavailable for a database
    that does not answer. Redis may be away: what needs it waits, or does without.
    """
    refuse_half_restored(settings.data_dir)
    secret = read_secret(settings)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings))
        await prepare_schema(settings, database)
        resources = assemble(
            settings,
            secret=secret,
            database=database,
            others=(
                await open_others(settings, secret, stack)
                if outside
                else nothing_outside(settings, secret)
            ),
            metrics=metrics or CollectorRegistry(),
            # Last: what cannot work with these settings has been refused before a server starts.
            redis_url=await redis_address(settings, stack),
        )
        stack.push_async_callback(resources.redis.aclose)
        stack.push_async_callback(resources.queue_redis.aclose)
        stack.push_async_callback(resources.identity.close)
        stack.push_async_callback(resources.directory.close)
        stack.push_async_callback(resources.push.close)
        await stack.enter_async_context(resources.bus)
        await stack.enter_async_context(resources.accounts)
        await stack.enter_async_context(resources.api_keys)
        await stack.enter_async_context(resources.rate_limits)
        await stack.enter_async_context(resources.hub)
        yield resources


def closed_resources(settings: Settings) -> Resources:
    """The same with nothing opened: enough to list what the program has to offer."""
    secret = bytes(SECRET_KEY_BYTES)
    return assemble(
        settings,
        secret=secret,
        database=Database("sqlite", TortoiseContext()),
        redis_url="redis://",
        others=nothing_outside(settings, secret),
        metrics=CollectorRegistry(),
    )


@dataclass(frozen=True, slots=True)
class Others:
    """What others may provide: Firebase, or a bucket."""

    identity: IdentityProvider
    directory: Directory
    push: PushProvider
    storage: Storage


async def open_others(settings: Settings, secret: bytes, stack: AsyncExitStack) -> Others:
    return Others(
        identity=make_identity_provider(settings),
        directory=make_directory(settings),
        push=make_push_provider(settings),
        storage=await stack.enter_async_context(
            open_storage(settings, signing_key=derive_key(secret, STORAGE_URLS))
        ),
    )


def nothing_outside(settings: Settings, secret: bytes) -> Others:
    """Stand-ins that are never asked, and cost nothing."""
    return Others(
        identity=LocalProvider(secret),
        directory=AbsentDirectory("Nothing is open"),
        push=LogProvider(),
        storage=LocalStorage(settings.data_dir, UrlSigner(secret)),
    )


def assemble(
    settings: Settings,
    *,
    secret: bytes,
    database: Database,
    redis_url: str,
    others: Others,
    metrics: CollectorRegistry,
) -> Resources:
    """Puts the parts together; nothing connects yet."""
    redis = connect(redis_url)
    queue_redis = connect_queue(redis_url)
    bus = MessageBus(redis)
    for client in (redis, queue_redis):
        on_demotion(client, bus.leave)
    accounts = Accounts(bus, load=load_user)
    measure_process(metrics, database)
    hub = Hub(
        redis,
        bus,
        accounts,
        secret=secret,
        metrics=StreamMetrics(metrics),
        load_standings=load_standings,
        find_ended=others.identity.find_ended,
    )
    return Resources(
        settings=settings,
        secret=secret,
        database=database,
        redis=redis,
        queue_redis=queue_redis,
        queue_link=RedisLink(),
        bus=bus,
        accounts=accounts,
        api_keys=KeyRing(bus, load=ApiKey.by_public_id),
        rate_limits=RateLimits(redis, bus, rates_of(settings)),
        hub=hub,
        identity=others.identity,
        directory=others.directory,
        jobs=JobQueue(queue_redis),
        outbox=Outbox(),
        push=others.push,
        storage=others.storage,
        metrics=metrics,
    )


def read_secret(settings: Settings) -> bytes:
    if settings.secret_key:
        return settings.secret_key.get_secret_value().encode()
    return read_or_make(settings.secret_key_file)


async def prepare_schema(settings: Settings, database: Database) -> None:
    """Migrates our own SQLite file; a database of yours waits for `myapp migrate`."""
    if settings.database_url is None:
        await apply(settings)
        return
    try:
        names = await pending(database)
    except Unavailable as error:
        raise Unavailable("DATABASE_URL: the database does not answer") from error
    if names:
        raise ConfigError(f"DATABASE_URL: {len(names)} migrations are pending; run: myapp migrate")


async def redis_address(settings: Settings, stack: AsyncExitStack) -> str:
    if settings.redis_url:
        return settings.redis_url.get_secret_value()
    return await stack.enter_async_context(embedded_server(settings.data_dir))


def connect(url: str) -> Redis:
    """A client whose commands fail soon."""
    return make_client(url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)


def make_identity_provider(settings: Settings) -> IdentityProvider:
    if settings.auth_provider is AuthProvider.LOCAL:
        return LocalProvider(read_or_make(settings.identity_key_file))
    from myapp.identity.firebase import FirebaseProvider  # 0.5 s that only Firebase's users pay

    credentials = settings.firebase_credentials
    return FirebaseProvider(
        project_id=settings.firebase_project_id,
        credentials=credentials.get_secret_value() if credentials else None,
        emulator_host=settings.firebase_auth_emulator_host,
    )


def make_directory(settings: Settings) -> Directory:
    if settings.auth_provider is AuthProvider.LOCAL:
        return AbsentDirectory("The local identity provider keeps no list of users")
    credentials = settings.firebase_credentials
    if not (credentials or settings.firebase_auth_emulator_host):
        return AbsentDirectory("FIREBASE_CREDENTIALS are needed to ask Firebase for its users")
    from myapp.identity.firebase_directory import FirebaseDirectory

    return FirebaseDirectory(
        project_id=settings.firebase_project_id,
        credentials=credentials.get_secret_value() if credentials else None,
    )


def make_push_provider(settings: Settings) -> PushProvider:
    if settings.push_provider is PushService.LOG:
        return LogProvider()
    from myapp.identity.firebase import read_key
    from myapp.push.fcm import (
        FcmProvider,  # with Firebase's messaging, which others need not wait for
    )

    credentials = settings.firebase_credentials
    assert credentials  # noqa: S101  # the settings do without it only where nothing is pushed
    return FcmProvider(
        key=read_key(credentials.get_secret_value()), project_id=settings.firebase_project_id
    )


async def load_user(user_id: UUID) -> User | None:
    return await User.get_or_none(id=user_id)


async def load_standings(user_ids: Sequence[UUID]) -> list[Standing]:
    rows = await User.filter(id__in=user_ids).values_list("id", "status", "role")
    return [Standing(*row) for row in rows]
