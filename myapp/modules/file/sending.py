"""A stored object as the answer to a request.

For the api role alone: it loads Quart.
"""

from collections.abc import AsyncIterator
from http import HTTPStatus

from quart import Response, request

from myapp.connection import current_request
from myapp.errors import Invalid, Unavailable
from myapp.response import fail
from myapp.storage.base import ByteRange, Storage, StoredObject
from myapp.storage.serving import plan_answer


async def send_object(
    storage: Storage, key: str, *, max_age: int, filename: str | None = None
) -> Response:
    """The bytes that this request asks for, or why it gets none. Raises NotFound."""
    async with storage.open(key) as found:
        stored = found.stored
    answer = plan_answer(stored, request.headers, max_age=max_age, filename=filename)
    if answer.status is HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        refusal = fail(Invalid("The range lies beyond the end"), request_id=current_request().id)
        refusal.status_code = answer.status
        refusal.headers.update(answer.headers)
        return refusal
    body = read_object(storage, stored, answer.part) if answer.part else b""
    response = Response(body, status=answer.status, headers=answer.headers)
    response.timeout = None  # as long as the client takes; it is watched while it does
    return response


async def read_object(
    storage: Storage, stored: StoredObject, part: ByteRange
) -> AsyncIterator[bytes]:
    """Opens it anew, so that an answer that is never sent holds nothing open."""
    async with storage.open(stored.key) as found:
        if found.stored.etag != stored.etag:
            raise Unavailable("The object is being replaced")
        async for block in found.read(part):
            yield block
