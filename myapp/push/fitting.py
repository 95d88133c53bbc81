"""A push is small: what does not fit is cut, and the inbox has the whole of it."""

from dataclasses import replace

from myapp.push.base import PushMessage

ROOM_BYTES = 3800  # of FCM's 4,096; the rest is for the id and for its own names
ELLIPSIS = "…"


def fit(message: PushMessage) -> PushMessage:
    """The message with its texts cut to what its data leaves; the title goes first."""
    data = sum(len(text.encode()) for item in message.data.items() for text in item)
    title = cut(message.title, ROOM_BYTES - data)
    body = cut(message.body, ROOM_BYTES - data - len(title.encode()))
    return replace(message, title=title, body=body)


def cut(text: str, room: int) -> str:
    """The text in at most `room` bytes of UTF-8, whole characters only."""
    encoded = text.encode()
    if len(encoded) <= room:
        return text
    kept = max(0, room - len(ELLIPSIS.encode()))
    return encoded[:kept].decode(errors="ignore") + ELLIPSIS if kept else ""
