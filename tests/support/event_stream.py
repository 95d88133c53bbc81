"""What a client makes of an event stream."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Frame:
    """One block of lines, up to an empty one."""

    id: str | None = None
    type: str | None = None
    data: str | None = None
    retry: int | None = None
    comment: bool = False

    @property
    def json(self) -> Any:
        assert self.data is not None
        return json.loads(self.data)


@dataclass
class Parser:
    """Takes bytes as they come, and keeps what a browser's EventSource would."""

    frames: list[Frame] = field(default_factory=list)
    last_id: str | None = None
    _rest: bytes = b""

    @property
    def events(self) -> list[Frame]:
        """What a browser would dispatch."""
        return [frame for frame in self.frames if frame.data is not None]

    @property
    def numbers(self) -> list[int]:
        """The `n` of each event's data."""
        return [frame.json["data"]["n"] for frame in self.events if frame.type != "resync"]

    def feed(self, piece: bytes) -> None:
        *blocks, self._rest = (self._rest + piece).split(b"\n\n")
        for block in blocks:
            frame = parse(block.decode())
            self.frames.append(frame)
            if frame.id is not None:
                self.last_id = frame.id

    async def read(self, pieces: AsyncIterator[bytes]) -> None:
        async for piece in pieces:
            self.feed(piece)


def parse(block: str) -> Frame:
    frame = Frame()
    for line in block.split("\n"):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "":
                frame.comment = True
            case "id":
                frame.id = value
            case "event":
                frame.type = value
            case "data":
                frame.data = value
            case "retry":
                frame.retry = int(value)
            case _:
                raise AssertionError(f"no field of an event stream: {line!r}")
    return frame
