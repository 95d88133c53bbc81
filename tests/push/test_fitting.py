"""What does not fit into a push is cut."""

from uuid import uuid4

import pytest

from myapp.push.base import PushMessage
from myapp.push.fitting import ROOM_BYTES, cut, fit


def size(message: PushMessage) -> int:
    texts = [message.title, message.body, *(t for item in message.data.items() for t in item)]
    return sum(len(text.encode()) for text in texts)


def test_what_fits_stays_as_it_is() -> None:
    message = PushMessage(uuid4(), "t" * 200, "b" * 2000, {"k": "v" * 1000})
    assert fit(message) == message


@pytest.mark.parametrize("letter", ["b", "ü", "👩"])
def test_the_body_is_cut_before_the_title(letter: str) -> None:
    message = PushMessage(uuid4(), "t" * 200, letter * 2000, {"k": "v" * 3000})
    cut_to = fit(message)
    assert cut_to.title == message.title
    assert cut_to.body.endswith("…")
    assert ROOM_BYTES - 4 <= size(cut_to) <= ROOM_BYTES


def test_without_room_for_a_letter_nothing_is_left() -> None:
    assert cut("text", 3) == ""
    assert cut("text", -5) == ""
