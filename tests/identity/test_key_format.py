"""How API keys are written."""

import string

import pytest

from myapp.errors import Unauthenticated
from myapp.identity.key_format import checksum, make_key, new_public_id, parse_key

# Not a random one: workers of pytest-xdist have to agree on the names of the tests.
HEAD = "myapp_aB3dE6gH9jK2_SmA9PFc9ODWyW4VjPa2Ha4nLVqnej1e38JiCpMQKzc2"
KEY = HEAD + checksum(HEAD)


def test_a_key_says_its_public_id_and_the_hash_of_its_secret() -> None:
    parts = parse_key(KEY)
    assert parts.public_id == "aB3dE6gH9jK2"
    assert len(parts.secret_hash) == 64


def test_two_keys_of_one_public_id_have_different_secrets() -> None:
    assert parse_key(KEY).secret_hash != parse_key(make_key("aB3dE6gH9jK2")).secret_hash
    assert new_public_id() != new_public_id()


@pytest.mark.parametrize("position", range(len(KEY)))
def test_one_wrong_character_anywhere_is_noticed(position: int) -> None:
    wrong = "x" if KEY[position] != "x" else "y"
    with pytest.raises(Unauthenticated):
        parse_key(KEY[:position] + wrong + KEY[position + 1 :])


@pytest.mark.parametrize("position", range(6, len(KEY) - 1))
def test_two_characters_that_changed_places_are_noticed(position: int) -> None:
    swapped = KEY[:position] + KEY[position + 1] + KEY[position] + KEY[position + 2 :]
    if swapped != KEY:
        with pytest.raises(Unauthenticated):
            parse_key(swapped)


@pytest.mark.parametrize(
    "text",
    ["", "myapp_", KEY[:-1], KEY + "0", f" {KEY}", f"{KEY}\n", KEY.upper(), KEY * 1000, "é" * 68],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(Unauthenticated):
        parse_key(text)


def test_a_double_click_selects_all_of_it() -> None:
    assert set(KEY) <= {*string.ascii_letters, *string.digits, "_"}
