"""Firebase's list of people, played over loopback in the place of the emulator."""

from collections.abc import AsyncIterator, Iterator

import pytest

from myapp.errors import Invalid, Unavailable
from myapp.identity.directory import Listing, Person
from myapp.identity.firebase import point_at_emulator
from myapp.identity.firebase_directory import FirebaseDirectory
from tests.support.firebase import Firebase


@pytest.fixture
def firebase() -> Iterator[Firebase]:
    server = Firebase()
    yield server
    server.close()


@pytest.fixture
async def directory(
    firebase: Firebase, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FirebaseDirectory]:
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", "")  # puts back what is changed next
    point_at_emulator(firebase.host)
    directory = FirebaseDirectory(project_id="demo", credentials=None)
    yield directory
    await directory.close()


async def test_is_read_in_pages(directory: FirebaseDirectory, firebase: Firebase) -> None:
    firebase.answer = {
        "users": [
            {"localId": "ada", "email": "Ada@example.com", "emailVerified": True},
            {"localId": "bob", "displayName": "Bob\x00", "disabled": True},
        ],
        "nextPageToken": "next",
    }
    assert await directory.list_page("here") == Listing(
        [
            Person("ada", "Ada@example.com", email_verified=True, name=None, disabled=False),
            Person("bob", None, email_verified=False, name="Bob", disabled=True),
        ],
        "next",
    )
    assert "nextPageToken=here" in firebase.asked[0]
    firebase.answer = {}
    assert await directory.list_page(None) == Listing([], None)


async def test_says_who_is_gone(directory: FirebaseDirectory, firebase: Firebase) -> None:
    firebase.answer = {"users": [{"localId": "ada"}]}
    assert await directory.find_missing(["ada", "gone"]) == {"gone"}


@pytest.mark.parametrize(("status", "error"), [(503, Unavailable), (400, Invalid)])
async def test_out_of_reach_is_no_empty_list(
    directory: FirebaseDirectory, firebase: Firebase, status: int, error: type[Exception]
) -> None:
    firebase.status, firebase.answer = status, {"error": {"message": "INVALID_PAGE_SELECTION"}}
    with pytest.raises(error):
        await directory.list_page("here")
