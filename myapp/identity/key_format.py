"""How an API key is written: `myapp_<public id>_<secret><checksum>`.

All parts are base 62, so that a double click selects a whole key. The checksum is the CRC-32 of
what stands before it: a mistyped key is known without a look-up, and a secret scanner can tell a
key from what only looks like one.
"""

import hashlib
import re
import secrets
import string
from dataclasses import dataclass
from zlib import crc32

from myapp.errors import Unauthenticated

DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
PREFIX = "myapp_"
PUBLIC_ID_CHARACTERS = 12
SECRET_BYTES = 32
SECRET_CHARACTERS = 43  # 62 ** 43 > 2 ** 256
CHECKSUM_CHARACTERS = 6  # 62 ** 6 > 2 ** 32
KEY = re.compile(
    rf"{PREFIX}([0-9A-Za-z]{{{PUBLIC_ID_CHARACTERS}}})_([0-9A-Za-z]{{{SECRET_CHARACTERS}}})"
    rf"([0-9A-Za-z]{{{CHECKSUM_CHARACTERS}}})"
)


@dataclass(frozen=True, slots=True)
class KeyParts:
    """What a key says: `secret_hash` is all that anybody stores of the secret."""

    public_id: str
    secret_hash: str


def new_public_id() -> str:
    """71 random bits: nobody meets another's."""
    return "".join(secrets.choice(DIGITS) for _ in range(PUBLIC_ID_CHARACTERS))


def make_key(public_id: str) -> str:
    """A new key of this public id, with 256 bits of secret."""
    secret = to_base62(int.from_bytes(secrets.token_bytes(SECRET_BYTES)), SECRET_CHARACTERS)
    head = f"{PREFIX}{public_id}_{secret}"
    return head + checksum(head)


def parse_key(text: str) -> KeyParts:
    """Raises Unauthenticated for what was never a key: mistyped, cut or made up."""
    match = KEY.fullmatch(text)
    if match is None or checksum(text[:-CHECKSUM_CHARACTERS]) != match[3]:
        raise Unauthenticated("The API key is malformed")
    return KeyParts(match[1], hashlib.sha256(match[2].encode()).hexdigest())


def checksum(head: str) -> str:
    return to_base62(crc32(head.encode()), CHECKSUM_CHARACTERS)


def to_base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, len(DIGITS))
        digits.append(DIGITS[digit])
    return "".join(reversed(digits))
