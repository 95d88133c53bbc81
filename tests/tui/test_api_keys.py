"""The view of API keys."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import cast

import pytest
from textual.widgets import Input, Static

from myapp.audit import SYSTEM
from myapp.database.api_key import ApiKey, Scope
from myapp.identity.key_format import parse_key
from myapp.modules.api_key import ApiKeyModule
from myapp.modules.api_key.dtos import NewApiKey
from myapp.registry import Features
from myapp.tui.dialogs import Form, ShowSecret
from myapp.tui.views.api_keys import ApiKeysView
from tests.tui.conftest import Audit, Elsewhere, Operator, Sit, audited, drawn

HOSTILE = "\x1b[2Jgone\r[bold]"
HARMLESS = " [2Jgone [bold]"


async def add(features: Features, name: str, *, days: float | None = None) -> ApiKey:
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    new = NewApiKey(name=name, scopes=[Scope.METRICS_READ], expires_at=expires_at)
    return (await features.get(ApiKeyModule).administration.create(new, SYSTEM)).row


@pytest.fixture
async def billing(features: Features) -> ApiKey:
    return await add(features, "billing")


def view_of(operator: Operator) -> ApiKeysView:
    return cast("ApiKeysView", operator.app.view)


def shows(operator: Operator, names: Sequence[str]) -> bool:
    if operator.app.view.NAME != "api_keys":
        return False
    return [key.name for key in view_of(operator).rows_in_memory()] == list(names)


async def come(operator: Operator, *names: str) -> None:
    """To the view, once it shows these."""
    await operator.press("6")
    await operator.until(partial(shows, operator, names))


def called(key: ApiKey) -> str:
    return f"{key.name} (myapp_{key.public_id})"


async def read_secret(operator: Operator) -> tuple[str, str]:
    """The sentence and the text that are shown once, which are closed then."""
    await operator.until(lambda: isinstance(operator.app.screen, ShowSecret))
    found = await operator.until(lambda: operator.app.screen.query("#secret"))
    sentence = operator.app.screen.query(Static).first()
    told = str(sentence.content), str(found.first(Static).content)
    before = len(operator.notices)
    await operator.press("y")
    await operator.until(partial(operator.has_notices, before + 1))
    assert operator.app.clipboard == told[1]
    shown = operator.app.screen
    await operator.press("escape")
    await operator.until(lambda: operator.app.screen is not shown)  # the next may be there already
    return told


async def fill_in(operator: Operator, *values: str) -> None:
    """The form, once it is there; what it held before is replaced."""
    await operator.until(lambda: isinstance(operator.app.screen, Form))
    fields = await operator.until(lambda: list(operator.app.screen.query(Input)))
    fields[0].focus()
    for field, value in zip(fields, values, strict=True):
        await operator.until(partial(operator.has_focus, field))
        field.value = value
        await operator.press("enter")


def is_faulty(operator: Operator, place: int, said: str) -> bool:
    """Whether the form says so of this field alone, and has the cursor there."""
    if not isinstance(operator.app.screen, Form):
        return False
    faults = operator.faults
    line = list(operator.app.screen.query(Input))[place]
    faulty = [number for number, fault in enumerate(faults) if fault]
    return line.has_focus and faulty == [place] and faults[place].startswith(said)


async def is_good(key: ApiKey) -> bool:
    return not (await ApiKey.get(id=key.id)).is_dead(at=datetime.now(UTC))


class TestList:
    async def test_shows_each_with_its_state(self, sit: Sit, features: Features) -> None:
        await add(features, "good")
        await add(features, "soon", days=3.5)
        over = await add(features, "over", days=1)
        over.expires_at = datetime.now(UTC) - timedelta(hours=5)
        over.last_used_at = datetime.now(UTC) - timedelta(days=2)
        await over.save()
        ended = await add(features, "ended")
        await features.get(ApiKeyModule).administration.revoke(ended.id, SYSTEM)
        async with sit() as operator:
            await come(operator, "ended", "over", "soon", "good")
            assert operator.status == "4 API keys"
            lines = [line.split() for line in drawn(view_of(operator)).splitlines()[1:5]]
        assert [line[3:] for line in lines] == [
            ["revoked", "never", "never"],
            ["expired", "5h", "2d"],
            ["good", "in", "3d", "never"],
            ["good", "never", "never"],
        ]
        assert lines[3][:3] == ["good", lines[3][1], "metrics:read"]

    async def test_is_filtered_by_name_id_and_beginning(
        self, sit: Sit, features: Features, billing: ApiKey
    ) -> None:
        await add(features, "mailer")
        async with sit() as operator:
            await come(operator, "mailer", "billing")
            for typed in ("BILL", f"myapp_{billing.public_id[:8]}"):
                await operator.filter(typed)
                await operator.until(partial(shows, operator, ["billing"]))
            await operator.app.show("api_keys", "x" * 256)
            await operator.until(lambda: "This filter makes no sense: q " in operator.status)
            await operator.app.show("api_keys", str(billing.id))  # as a link does
            await operator.until(partial(shows, operator, ["billing"]))


class TestDetail:
    async def test_shows_everything_but_the_key(
        self, sit: Sit, features: Features, billing: ApiKey
    ) -> None:
        issued = await features.get(ApiKeyModule).administration.create(
            NewApiKey(name="mailer", scopes=[Scope.NOTIFICATIONS_SEND, Scope.EVENTS_PUBLISH]),
            SYSTEM,
        )
        async with sit() as operator:
            await come(operator, "mailer", "billing")
            await operator.press("enter")
            await operator.until(lambda: "api_key.created" in drawn(operator.app.view))
            text = drawn(operator.app.view)
        for expected in (
            "mailer",
            f"myapp_{issued.row.public_id}",
            str(issued.row.id),
            "events:publish, notifications:send",
            "never",
        ):
            assert expected in text
        assert issued.text not in text
        assert "Old secret" not in text


class TestCreate:
    async def test_makes_a_key_that_is_shown_once(self, sit: Sit) -> None:
        async with sit() as operator:
            await come(operator)
            await operator.press("n")
            await fill_in(operator, "billing", "metrics:read, accounts:read", "30")
            assert await operator.question() == (
                "Create a key for billing?\n\n"
                "Who has it may use metrics:read, accounts:read. It expires in 30 days."
            )
            await operator.press("y")
            sentence, text = await read_secret(operator)
            await operator.until(partial(shows, operator, ["billing"]))
        key = await ApiKey.get()
        assert "billing" in sentence
        assert parse_key(text).secret_hash == key.secret_hash
        assert key.scopes == ["accounts:read", "metrics:read"]
        assert key.expires_at is not None
        assert timedelta(days=29) < key.expires_at - datetime.now(UTC) <= timedelta(days=30)
        assert await audited() == [("tui", "ada", "api_key.created", str(key.id))]

    async def test_says_what_is_wrong_beside_its_field(self, sit: Sit) -> None:
        scope = "metrics:read"
        async with sit() as operator:
            await come(operator)
            await operator.press("n")
            for values, place, said in (
                (("", scope, ""), 0, "is empty"),
                (("billing", "", ""), 1, "is empty"),
                (("x" * 256, scope, ""), 0, "has more than 255 characters"),
                (("billing", f"{scope} all", ""), 1, "all: is none of notifications:send"),
                (("billing", scope, "soon"), 2, "is no number of days"),
                (("billing", scope, "0"), 2, "is over"),
                (("billing", scope, "9" * 9), 2, "is no number of days"),
            ):
                await fill_in(operator, *values)
                await operator.until(partial(is_faulty, operator, place, said))
                assert [field.value for field in operator.app.screen.query(Input)] == list(values)
            await operator.press("escape")
            await operator.until(lambda: len(operator.app.screen_stack) == 1)
        assert await ApiKey.all().count() == 0
        assert await audited() == []

    async def test_makes_nothing_without_a_yes(self, sit: Sit) -> None:
        async with sit() as operator:
            await come(operator)
            await operator.press("n")
            await fill_in(operator, "billing", "metrics:read", "")
            assert (await operator.question()).endswith("It never expires.")
            await operator.press("n")
            await operator.until(lambda: isinstance(operator.app.screen, Form))
        assert await ApiKey.all().count() == 0


class TestActions:
    async def test_rotate_shows_the_new_key_once(self, sit: Sit, billing: ApiKey) -> None:
        async with sit() as operator:
            await come(operator, "billing")
            await operator.press("R")
            question = await operator.question()
            assert question.startswith(f"Rotate API key {called(billing)}?")
            assert "the old one works for 10 minutes more" in question
            await operator.press("y")
            sentence, text = await read_secret(operator)
            assert sentence == "The new key of billing. The old one works for 10 minutes more."
            await operator.until(
                lambda: operator.notices[-1] == f"{called(billing)} has a new secret"
            )
            await operator.press("enter")
            await operator.until(lambda: "Old secret" in drawn(operator.app.view))
            assert "works until 20" in drawn(operator.app.view)
            await operator.press("x")
            await operator.confirm()
            await operator.until(lambda: "Old secret" not in drawn(operator.app.view))
        key = await ApiKey.get()
        assert parse_key(text).secret_hash == key.secret_hash != billing.secret_hash
        assert [former for former, _ in key.former_secrets] == [billing.secret_hash]
        assert ("tui", "ada", "api_key.rotated", str(billing.id)) in await audited()

    async def test_rotate_shows_the_keys_of_marked_ones_in_turn(
        self, sit: Sit, features: Features
    ) -> None:
        keys = [await add(features, name) for name in ("a", "b")]
        async with sit() as operator:
            await come(operator, "b", "a")
            await operator.press("space", "space", "R")
            assert (await operator.question()).startswith("Rotate the 2 marked API keys?")
            await operator.press("y")
            texts = [(await read_secret(operator))[1] for _ in keys]
            await operator.until(
                lambda: operator.notices[-1] == "2 of 2 API keys: each has a new secret"
            )
        hashes = {parse_key(text).secret_hash for text in texts}
        assert hashes == {(await ApiKey.get(id=key.id)).secret_hash for key in keys}

    async def test_revoke_ends_a_key_for_good(self, sit: Sit, billing: ApiKey) -> None:
        async with sit() as operator:
            await come(operator, "billing")
            await operator.press("x")
            assert (await operator.question()).startswith(f"Revoke API key {called(billing)}?")
            assert await operator.confirm() == f"{called(billing)} is revoked"
            await operator.until(lambda: "revoked" in drawn(view_of(operator)))
            for number, (key, verb) in enumerate((("x", "Revoke"), ("R", "Rotate")), 2):
                await operator.press(key)
                await operator.until(partial(operator.has_notices, number))
                assert operator.notices[-1].startswith(f"{verb} does not apply to API key billing")
        assert not await is_good(billing)
        assert (await audited())[-1] == ("tui", "ada", "api_key.revoked", str(billing.id))

    async def test_rotate_of_a_key_that_was_revoked_meanwhile_is_refused(
        self, sit: Sit, features: Features, billing: ApiKey
    ) -> None:
        async with sit() as operator:
            await come(operator, "billing")
            await operator.press("R")
            await operator.question()
            await features.get(ApiKeyModule).administration.revoke(billing.id, SYSTEM)
            told = await operator.confirm()
            assert told.endswith("was revoked or has expired: create another one")
            assert not isinstance(operator.app.screen, ShowSecret)

    async def test_rotate_makes_no_secret_that_nobody_would_see(
        self, sit: Sit, features: Features, billing: ApiKey
    ) -> None:
        await add(features, "mailer")
        async with sit() as operator:
            await come(operator, "mailer", "billing")
            await operator.press("space", "space", "R")
            await operator.question()
            await operator.press("y")
            await operator.until(lambda: isinstance(operator.app.screen, ShowSecret))
            operator.app.exit()
            await operator.until(lambda: not operator.app.is_running)
        rotated = [target for _, _, action, target in await audited() if action.endswith("rotated")]
        assert len(rotated) == 1

    async def test_are_forbidden_while_reading_only(self, sit: Sit, billing: ApiKey) -> None:
        async with sit(readonly=True) as operator:
            await come(operator, "billing")
            for number, key in enumerate(("n", "R", "x"), 1):
                await operator.press(key)
                await operator.until(partial(operator.has_notices, number))
            assert {"--readonly" in notice for notice in operator.notices} == {True}
        assert await is_good(billing)
        assert len(await audited()) == 1  # its making

    async def test_take_hostile_names_for_text(self, sit: Sit, billing: ApiKey) -> None:
        billing.name = HOSTILE  # no door takes one, but a database may hold it
        await billing.save()
        async with sit() as operator:
            await come(operator, HOSTILE)
            assert HARMLESS in drawn(operator.app.view)
            await operator.press("R")
            assert f"Rotate API key {HARMLESS} (" in await operator.question()
            await operator.press("y")
            sentence, _ = await read_secret(operator)
            assert f"The new key of {HARMLESS}." in sentence


class TestLinks:
    @pytest.mark.parametrize(("key", "field"), [("a", "target_id"), ("b", "actor_id")])
    async def test_lead_to_the_audit_log(
        self, sit: Sit, billing: ApiKey, key: str, field: str
    ) -> None:
        async with sit(views=(ApiKeysView, Audit)) as operator:
            await come(operator, "billing")
            await operator.press(key)
            await operator.until(lambda: operator.app.view.NAME == "audit")
            place = cast("Elsewhere", operator.app.view).place
            assert place.filter == f"{field}:{billing.id}"
