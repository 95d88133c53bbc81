"""How an API key is written and read, for whatever key."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myapp.errors import Unauthenticated
from myapp.identity.key_format import (
    DIGITS,
    PUBLIC_ID_CHARACTERS,
    make_key,
    parse_key,
)
from tests.support.properties import bounded

public_ids = st.text(DIGITS, min_size=PUBLIC_ID_CHARACTERS, max_size=PUBLIC_ID_CHARACTERS)
characters = st.characters(max_codepoint=0x2FF)


@bounded(100)
@given(public_ids)
def test_what_was_made_is_read_back(public_id: str) -> None:
    key = make_key(public_id)
    parts = parse_key(key)
    secret = key.rpartition("_")[2][:-6]
    assert parts.public_id == public_id
    assert parts.secret_hash == hashlib.sha256(secret.encode()).hexdigest()


@bounded(200)
@given(public_ids, st.data())
def test_a_single_other_character_anywhere_is_refused(public_id: str, data: st.DataObject) -> None:
    key = make_key(public_id)
    at = data.draw(st.integers(0, len(key) - 1))
    other = data.draw(characters.filter(lambda character: character != key[at]))
    with pytest.raises(Unauthenticated):
        parse_key(key[:at] + other + key[at + 1 :])


@bounded(100)
@given(public_ids, st.data())
def test_a_character_too_few_or_too_many_is_refused(public_id: str, data: st.DataObject) -> None:
    key = make_key(public_id)
    at = data.draw(st.integers(0, len(key) - 1))
    for text in (key[:at] + key[at + 1 :], key[:at] + data.draw(characters) + key[at:]):
        with pytest.raises(Unauthenticated):
            parse_key(text)


@bounded(200)
@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(Unauthenticated):
        parse_key(text)
