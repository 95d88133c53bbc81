"""The id that follows one request through HTTP, gRPC, jobs, events and logs."""

import re
import secrets

SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def choose_request_id(given: str) -> str:
    """The caller's own id when it is 1 to 128 of `A-Za-z0-9._-`, else a new one."""
    return given if SANE_ID.fullmatch(given) else secrets.token_hex(16)
