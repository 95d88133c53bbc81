"""Page tokens: where a list goes on, signed, and good for one filter alone."""

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer

from myapp.errors import FieldError, Invalid
from myapp.modules.user.usecases import Place
from myapp.secrets import derive_key

PURPOSE = "page tokens"
LAYOUT = b"accounts 1"  # a token of another list, or of another layout, is none
DIGEST_CHARACTERS = 16  # the signature keeps out forgeries; this tells filters apart


class PageTokens:
    """Writes and reads them. `secret` is the program's own."""

    def __init__(self, secret: bytes) -> None:
        self._serializer = URLSafeSerializer(
            derive_key(secret, PURPOSE),
            salt=LAYOUT,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def write(self, place: Place, *, bound_to: str) -> str:
        """The token for the page after `place`; `bound_to` is the list's filter as it was given."""
        fields = [place.created_at.isoformat(), place.id.hex, digest_of(bound_to)]
        return str(self._serializer.dumps(fields))

    def read(self, token: str, *, bound_to: str) -> Place:
        """Raises Invalid for what was not written here, or was for another filter."""
        try:
            fields: list[Any] = self._serializer.loads(token)
        except BadData:
            raise refusal("is none that this service made") from None
        created_at, user_id, filtered_by = fields
        if filtered_by != digest_of(bound_to):
            raise refusal("belongs to another filter")
        return Place(datetime.fromisoformat(created_at), UUID(user_id))


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARACTERS]


def refusal(fault: str) -> Invalid:
    return Invalid("The page token is not valid", details=[FieldError("page_token", fault)])
