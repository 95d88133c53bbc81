"""The file in a form (multipart/form-data), read as it comes.

For the api role alone: it loads Werkzeug, Quart's foundation.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass

from werkzeug.sansio.multipart import Data, Epilogue, Event, File, MultipartDecoder, NeedData

from myapp.errors import FieldError, Invalid

PIECE_BYTES = 64 * 1024
# What the decoder may hold back: a piece, the end of the one before, and the head of a part.
BUFFER_BYTES = 2 * PIECE_BYTES
MAX_PARTS = 20


@dataclass(frozen=True, slots=True)
class FormFile:
    """A file that is still on its way. Reading `chunks` reads the form to its end."""

    filename: str
    content_type: str | None
    chunks: AsyncIterator[bytes]


async def find_file(events: AsyncIterator[Event], field: str) -> FormFile:
    """The file of that field. Raises Invalid when the form has none."""
    async for event in events:
        if isinstance(event, File) and event.name == field and event.filename:
            content_type = event.headers.get("Content-Type")
            return FormFile(event.filename, content_type, contents(events, field))
    raise Invalid(details=[FieldError(field, "is required, as a file")])


async def contents(events: AsyncIterator[Event], field: str) -> AsyncIterator[bytes]:
    """The bytes of the file that has just begun. Raises Invalid for a second one."""
    ended = False
    async for event in events:
        if isinstance(event, File) and event.name == field:
            raise Invalid(details=[FieldError(field, "is given more than once")])
        if isinstance(event, Data) and not ended:
            ended = not event.more_data
            yield event.data


async def read_form(body: AsyncIterator[bytes], boundary: str) -> AsyncGenerator[Event, None]:
    """What the form is made of, in bounded memory. Raises Invalid for one that is malformed."""
    decoder = MultipartDecoder(boundary.encode(), BUFFER_BYTES, max_parts=MAX_PARTS)
    async for chunk in body:
        for start in range(0, len(chunk), PIECE_BYTES):
            for event in decode(decoder, chunk[start : start + PIECE_BYTES]):
                yield event
    for event in decode(decoder, None):
        yield event


def decode(decoder: MultipartDecoder, piece: bytes | None) -> Iterator[Event]:
    """What comes with this piece; None is the end."""
    try:
        decoder.receive_data(piece)
        while not isinstance(event := decoder.next_event(), NeedData):
            yield event
            if isinstance(event, Epilogue):
                return
    except ValueError:
        raise Invalid("The form is malformed or incomplete") from None
