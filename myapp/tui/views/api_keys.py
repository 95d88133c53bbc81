"""The keys of services: which there are, what each may do, and what to do about one."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pydantic import ValidationError
from rich.console import Group
from rich.text import Text

from myapp.audit import Actor
from myapp.database.api_key import ApiKey, Scope
from myapp.errors import FieldError, Invalid
from myapp.identity.key_format import PREFIX
from myapp.modules.api_key import ApiKeyModule
from myapp.modules.api_key.dtos import DEFAULT_OVERLAP, ApiKeyQuery, KeyRotation, NewApiKey
from myapp.modules.api_key.usecases import ApiKeyUsecase
from myapp.modules.api_key.validators import NEW_KEY_RULES
from myapp.modules.audit import AuditModule
from myapp.modules.audit.dtos import AuditQuery
from myapp.registry import Features
from myapp.tui.actions import Action, Field, FormAction, Link, Secret
from myapp.tui.columns import Column
from myapp.tui.table_view import Detail, TableView
from myapp.tui.views.audit import newest_records
from myapp.tui.window import Found
from myapp.tui.wording import Cell, ago, count, facts, moment
from myapp.validation import refusal

SOON = timedelta(days=7)
RECORDS_SHOWN = 5
OVERLAP = f"{DEFAULT_OVERLAP // 60} minutes"


def usecase_of(features: Features) -> ApiKeyUsecase:
    return features.get(ApiKeyModule).administration


def beginning_of(key: ApiKey) -> str:
    return f"{PREFIX}{key.public_id}"


async def rotate(features: Features, key: ApiKey, actor: Actor) -> Secret:
    issued = await usecase_of(features).rotate(key.id, KeyRotation(), actor)
    return Secret(f"The new key of {key.name}. The old one works for {OVERLAP} more.", issued.text)


ROTATE = Action[ApiKey](
    key="R",
    verb="Rotate",
    effect=f"has another secret from now on, shown once; the old one works for {OVERLAP} more",
    done="has a new secret",
    applies=lambda key: not key.is_dead(at=datetime.now(UTC)),
    call=rotate,
    reveals=True,
)
REVOKE = Action[ApiKey](
    key="x",
    verb="Revoke",
    effect="is refused everywhere within a second, for good",
    done="is revoked",
    applies=lambda key: key.revoked_at is None,
    call=lambda features, key, actor: usecase_of(features).revoke(key.id, actor),
)


async def read_form(_features: Features, values: Mapping[str, str]) -> NewApiKey:
    """The key that was asked for. Raises Invalid."""
    scopes = scopes_of(values)
    asked: dict[str, object] = {"name": values["name"], "scopes": scopes}
    faults: list[FieldError] = []
    try:
        asked["expires_at"] = expiry(values["expires_at"])
    except Invalid as error:
        faults += error.details
    try:
        new = NewApiKey.model_validate(asked, strict=False)  # of texts
    except ValidationError as error:
        faults += (by_word(fault, scopes) for fault in refusal(error, "").details)
    if faults:
        raise Invalid("Such a key cannot be made", details=faults)
    await NEW_KEY_RULES.check(new)
    return new


def scopes_of(values: Mapping[str, str]) -> list[str]:
    return values["scopes"].replace(",", " ").split()


def by_word(fault: FieldError, scopes: Sequence[str]) -> FieldError:
    """The same, with the scope that it is about by its word: its place says nothing on a line."""
    field, _, place = fault.field.partition(".")
    return FieldError(field, f"{scopes[int(place)]}: {fault.message}") if place else fault


def expiry(days: str) -> datetime | None:
    """So many days from now; never, if it is empty."""
    try:
        return datetime.now(UTC) + timedelta(days=int(days)) if days else None
    except (ValueError, OverflowError):
        raise Invalid(details=[FieldError("expires_at", "is no number of days")]) from None


async def ask_to_create(_features: Features, new: NewApiKey) -> str:
    end = "never expires"
    if new.expires_at:
        days = round((new.expires_at - datetime.now(UTC)) / timedelta(days=1))
        end = f"expires in {count(days, 'day', 'days')}"
    return f"Create a key for {new.name}?\n\nWho has it may use {', '.join(new.scopes)}. It {end}."


async def create(features: Features, new: NewApiKey, actor: Actor) -> Secret:
    issued = await usecase_of(features).create(new, actor)
    return Secret(f"The key of {issued.row.name}.", issued.text)


CREATE = FormAction[NewApiKey](
    key="n",
    verb="New key",
    fields=(
        Field(name="name", label="Name of the service", hint="such as billing"),
        Field(name="scopes", label=f"Scopes, of {', '.join(Scope)}", hint="metrics:read …"),
        Field(name="expires_at", label="Days until it expires", hint="never"),
    ),
    read=read_form,
    question=ask_to_create,
    call=create,
)


class ApiKeysView(TableView[ApiKey]):
    """All keys, the newest first; those that have ended for 30 days more."""

    NAME = "api_keys"
    TITLE = "API keys"
    KEY = "6"
    NOUN = ("API key", "API keys")
    NOTES = (
        "/ takes a part of the name, an id, or how the key begins. A key itself is shown when it"
        " is made or rotated, and never again. The last use is known to the minute."
    )
    COLUMNS = (
        Column("Name"),
        Column("Begins with", 18),
        Column("Scopes"),
        Column("State", 7),
        Column("Expires", 8, right=True),
        Column("Used", 5, right=True),
        Column("Created", 7, from_width=110, right=True),
    )
    ACTIONS = (ROTATE, REVOKE)
    FORMS = (CREATE,)
    LINKS = (
        Link[ApiKey](
            key="a",
            name="What was done to it",
            view="audit",
            filter=lambda key: f"target_id:{key.id}",
        ),
        Link[ApiKey](
            key="b", name="What it did", view="audit", filter=lambda key: f"actor_id:{key.id}"
        ),
    )

    async def load(self, page: int, per_page: int) -> Found[ApiKey]:
        try:
            query = ApiKeyQuery(q=self.filter.text, page=page, per_page=per_page)
        except ValidationError as error:
            raise refusal(error, "This filter makes no sense") from None
        found = await usecase_of(self.desk.features).find(query)
        return Found(found.rows, found.total)

    def key_of(self, row: ApiKey) -> str:
        return str(row.id)

    def name_of(self, row: ApiKey) -> str:
        """Several may have one name."""
        return f"{row.name} ({beginning_of(row)})"

    def cells(self, row: ApiKey) -> Sequence[Cell]:
        now = self.desk.now()
        return (
            row.name,
            beginning_of(row),
            " ".join(row.scopes),
            state_of(row, now),
            expiry_of(row, now),
            ago(row.last_used_at, now) or "never",
            ago(row.created_at, now),
        )

    async def describe(self, key: str) -> Detail[ApiKey]:
        features, now = self.desk.features, self.desk.now()
        row = await usecase_of(features).get(UUID(key))
        query = AuditQuery(target_id=key, per_page=RECORDS_SHOWN)
        records = (await features.get(AuditModule).log.find(query)).rows
        return Detail(row, Group(facts(facts_of(row, now)), *newest_records(records, now)))


def state_of(key: ApiKey, now: datetime) -> Text:
    if key.revoked_at is not None:
        return Text("revoked", style="red")
    return Text("expired", style="red") if key.is_dead(at=now) else Text("good")


def expiry_of(key: ApiKey, now: datetime) -> Text:
    if key.expires_at is None:
        return Text("never")
    soon = not key.is_dead(at=now) and key.expires_at - now < SOON
    return Text(ago(key.expires_at, now), style="yellow" if soon else "")


def facts_of(key: ApiKey, now: datetime) -> Iterator[tuple[str, Cell]]:
    yield "Name", key.name
    yield "Begins with", beginning_of(key)
    yield "Id", str(key.id)
    yield "Scopes", ", ".join(key.scopes)
    yield "State", state_of(key, now)
    yield "Created", moment(key.created_at)
    yield "Expires", moment(key.expires_at) if key.expires_at else "never"
    yield "Revoked", moment(key.revoked_at)
    yield "Last used", moment(key.last_used_at)
    for _, until in key.former_secrets:
        if until > now.timestamp() and not key.is_dead(at=now):
            yield "Old secret", f"works until {moment(datetime.fromtimestamp(until, UTC))}"
