"""The work that files leave for later."""

from uuid import UUID

from myapp.queue.tasks import Payload, Task


class RemovePayload(Payload):
    """An object that nothing points at."""

    stray_id: UUID


# About two hours of tries; after that the hourly clean-up goes on.
OBJECT_REMOVE = Task("object:remove", RemovePayload, queue="low", timeout=60, attempts=20)
