"""The users: who they are, what they have, and whether they may come in."""

from collections.abc import Awaitable, Sequence
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from rich.text import Text

from myapp.audit import Actor
from myapp.database.user import User
from myapp.enums import UserRole, UserStatus
from myapp.modules.user import UserModule
from myapp.modules.user.dtos import UserChanges, UserQuery
from myapp.modules.user.usecases import AdministrationUsecase
from myapp.registry import Features
from myapp.tui.accounts import STATUS_STYLES, body_of, read_belongings
from myapp.tui.actions import Action, Link
from myapp.tui.columns import Column
from myapp.tui.table_view import Detail, TableView
from myapp.tui.window import Found
from myapp.tui.wording import Cell, ago, plain
from myapp.validation import refusal


def usecase_of(features: Features) -> AdministrationUsecase:
    return features.get(UserModule).administration


def change(features: Features, user: User, actor: Actor, **fields: Any) -> Awaitable[User]:
    return usecase_of(features).change(user.id, UserChanges(**fields), actor)


def restore(features: Features, user: User, actor: Actor) -> Awaitable[User]:
    if user.status is UserStatus.DELETED:
        return usecase_of(features).restore(user.id, actor)
    return change(features, user, actor, status=UserStatus.ACTIVE)


SUSPEND = Action[User](
    key="s",
    verb="Suspend",
    effect="loses access everywhere within a second, until it is restored",
    done="is suspended",
    applies=lambda user: user.status is UserStatus.ACTIVE,
    call=lambda features, user, actor: change(features, user, actor, status=UserStatus.SUSPENDED),
)
RESTORE = Action[User](
    key="s",
    verb="Restore",
    effect=(
        "may sign in again at once; one that was deleted has its verified email back unless"
        " somebody else has it by now"
    ),
    done="is active again",
    applies=lambda user: user.status is not UserStatus.ACTIVE,
    call=restore,
)
DELETE = Action[User](
    key="D",
    verb="Delete",
    effect=(
        "loses access everywhere within a second, and its email is free; it can be restored for"
        " 30 days, then all that it has is removed"
    ),
    done="is deleted",
    applies=lambda user: user.status is not UserStatus.DELETED,
    call=lambda features, user, actor: usecase_of(features).delete(user.id, actor),
)
PROMOTE = Action[User](
    key="A",
    verb="Promote",
    effect="becomes an administrator, who may change everything and everybody",
    done="is an administrator",
    in_footer=False,
    applies=lambda user: user.role is UserRole.USER and user.status is not UserStatus.DELETED,
    call=lambda features, user, actor: change(features, user, actor, role=UserRole.ADMIN),
)
DEMOTE = Action[User](
    key="A",
    verb="Demote",
    effect="is an administrator no more, within a second",
    done="is an administrator no more",
    in_footer=False,
    applies=lambda user: user.role is UserRole.ADMIN and user.status is not UserStatus.DELETED,
    call=lambda features, user, actor: change(features, user, actor, role=UserRole.USER),
)


class UsersView(TableView[User]):
    """Everybody but the deleted ones, unless they are asked for; the newest first."""

    NAME = "users"
    TITLE = "Users"
    KEY = "5"
    NOUN = ("user", "users")
    NOTES = (
        "/ takes status:NAME, role:NAME, sort:created_at, sort:email or sort:name, with a - before"
        " the column for the other way round, and a text: a part of the email or the name, or an"
        " id. Deleted users are found by status:deleted or their id. A dim email is not verified:"
        " anybody can have claimed it."
    )
    ACTION_NOTES = "A makes somebody an administrator, or a user again."
    FIELDS = ("status", "role", "sort")
    COLUMNS = (
        Column("Email"),
        Column("Name"),
        Column("Status", 9),
        Column("Role", 5),
        Column("Since", 5, right=True),
        Column("Id", 36, from_width=110),
    )
    ACTIONS = (SUSPEND, RESTORE, DELETE, PROMOTE, DEMOTE)
    LINKS = (
        Link[User](key="o", name="Their jobs", view="jobs", filter=lambda user: str(user.id)),
        Link[User](key="e", name="Their events", view="events", filter=lambda user: str(user.id)),
        Link[User](
            key="a",
            name="What was done to them",
            view="audit",
            filter=lambda user: f"target_id:{user.id}",
        ),
        Link[User](
            key="b", name="What they did", view="audit", filter=lambda user: f"actor_id:{user.id}"
        ),
    )

    async def load(self, page: int, per_page: int) -> Found[User]:
        values: dict[str, Any] = {**self.filter.fields, "q": self.filter.text}
        try:
            query = UserQuery(page=page, per_page=per_page, **values)
        except ValidationError as error:
            raise refusal(error, "This filter makes no sense") from None
        found = await usecase_of(self.desk.features).find(query)
        return Found(found.rows, found.total)

    def key_of(self, row: User) -> str:
        return str(row.id)

    def name_of(self, row: User) -> str:
        """A verified address is one account's alone; any other may be claimed by many."""
        if row.email and row.email_key:
            return row.email
        return f"{row.email or row.name or 'without a name'}, id {row.id}"

    def cells(self, row: User) -> Sequence[Cell]:
        return (
            Text(plain(row.email or ""), style="" if row.email_key else "dim"),
            row.name or "",
            Text(row.status, style=STATUS_STYLES[row.status]),
            Text("admin", style="magenta") if row.role is UserRole.ADMIN else "",
            ago(row.created_at, self.desk.now()),
            str(row.id),
        )

    async def describe(self, key: str) -> Detail[User]:
        features = self.desk.features
        user = await usecase_of(features).get(UUID(key))
        has = await read_belongings(features, user.id)
        return Detail(user, body_of(user, has, self.desk.now()))
