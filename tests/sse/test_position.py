"""Ids of events."""

import pytest

from myapp.sse.position import IdSeal, Position

SEAL = IdSeal(b"k" * 32)
POSITION = Position("0123456789ab", (1_760_000_000_000, 7), 1500)


def test_an_id_gives_its_position_back() -> None:
    assert SEAL.open(SEAL.seal(POSITION, "ada"), "ada") == POSITION


def test_an_id_may_belong_to_any_of_several_scopes() -> None:
    assert SEAL.open(SEAL.seal(POSITION, "all"), "ada", "all") == POSITION


def test_an_id_is_unknown_in_another_scope() -> None:
    assert SEAL.open(SEAL.seal(POSITION, "bob"), "ada", "all") is None


def test_an_id_fits_into_a_header_and_a_url_as_it_is() -> None:
    assert SEAL.seal(POSITION, "ada").replace(".", "").replace("-", "").replace("_", "").isalnum()


def test_an_id_of_another_secret_is_unknown() -> None:
    assert IdSeal(b"x" * 32).open(SEAL.seal(POSITION, "ada"), "ada") is None


def test_an_id_with_any_character_changed_is_unknown() -> None:
    known = SEAL.seal(POSITION, "ada")
    for index, character in enumerate(known):
        changed = known[:index] + ("0" if character != "0" else "1") + known[index + 1 :]
        assert SEAL.open(changed, "ada") is None


@pytest.mark.parametrize(
    "text",
    ["", ".", "...", "0", "start", "é", "\udc80", "0123456789ab.1.1.", "x" * 100_000, "1-1", "$"],
)
def test_what_is_no_id_is_unknown(text: str) -> None:
    assert SEAL.open(text, "ada", "all") is None
