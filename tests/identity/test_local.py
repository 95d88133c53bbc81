import base64
import json
import subprocess
import sys
import time

import jwt
import pytest

from myapp.errors import Invalid, Unauthenticated
from myapp.identity.base import NotYetValid, check_shape
from myapp.identity.local import AUDIENCE, ISSUER, LocalProvider

SECRET = b"s" * 64


def encode(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def claims(**changes: object) -> dict[str, object]:
    now = time.time()
    # Good to the end of a run: they are signed at its beginning, and must fail for their fault.
    expiry = now + 3600
    base = {"iss": ISSUER, "aud": AUDIENCE, "sub": "local:x", "iat": now, "exp": expiry}
    return {**base, **changes}


def sign(claims: dict[str, object], *, secret: bytes = SECRET, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, secret, algorithm)


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in claims().items() if key != name}


GARBAGE = {
    "empty": "",
    "five characters": "short",
    "three letters": "a.b.c",
    "two dots": "..",
    "not ASCII": "ä.b.c",
    "nested lists": base64.urlsafe_b64encode(b"[" * 3000).decode() + ".e30.e30",
    "nested objects": base64.urlsafe_b64encode(b'{"a":' * 1200).decode() + ".e30.e30",
    "alg none": encode({"alg": "none"}) + "." + encode(claims()) + ".",
    "alg a list": encode({"alg": ["HS256"]}) + "." + encode(claims()) + ".AAAA",
    "alg an object": encode({"alg": {"HS256": 1}}) + "." + encode(claims()) + ".AAAA",
    "b64": encode({"alg": "HS256", "crit": ["b64"], "b64": False}) + "." + encode(1) + ".AAAA",
    "lists": encode([]) + "." + encode([]) + "." + encode([]),
    "nulls": encode(None) + "." + encode(None) + ".",
}
WRONG_IN_ONE_POINT = {
    "another secret": sign(claims(), secret=b"t" * 64),
    "HS512": sign(claims(), secret=SECRET, algorithm="HS512"),
    "issuer": sign(claims(iss="someone")),
    "audience": sign(claims(aud="someone")),
    "no sub": sign(without("sub")),
    "no exp": sign(without("exp")),
    "no iat": sign(without("iat")),
    "empty sub": sign(claims(sub="")),
    "long sub": sign(claims(sub="x" * 129)),
    "NUL in sub": sign(claims(sub="nul\0")),
    "exp as text": sign(claims(exp="tomorrow")),
    "exp not a number": sign(claims(exp=float("nan"))),
    "exp infinite": sign(claims(exp=float("inf"))),
    "exp beyond the calendar": sign(claims(exp=1e300)),
    "iat null": sign(claims(iat=None)),
}


@pytest.fixture
def provider() -> LocalProvider:
    return LocalProvider(SECRET)


class TestIssuing:
    async def test_what_is_issued_verifies(self, provider: LocalProvider) -> None:
        token = provider.issue("Ada@Example.com", expires_in=60, name="Ada")
        check_shape(token)
        identity = await provider.verify(token)
        assert identity.email == "Ada@Example.com"
        assert identity.email_verified
        assert identity.name == "Ada"
        assert (identity.expires_at - identity.issued_at).total_seconds() == pytest.approx(60)

    async def test_the_same_email_in_another_case_is_the_same_person(
        self, provider: LocalProvider
    ) -> None:
        one = await provider.verify(provider.issue("ada@example.com"))
        other = await provider.verify(provider.issue(" ADA@example.COM"))
        stranger = await provider.verify(provider.issue("bob@example.com"))
        assert one.uid == other.uid != stranger.uid

    async def test_the_longest_email_gives_a_uid_that_fits(self, provider: LocalProvider) -> None:
        email = "a" * 64 + "@" + "b" * 251 + ".com"
        assert len((await provider.verify(provider.issue(email))).uid) <= 128

    async def test_an_email_may_be_unverified(self, provider: LocalProvider) -> None:
        token = provider.issue("ada@example.com", email_verified=False)
        assert not (await provider.verify(token)).email_verified

    @pytest.mark.parametrize("email", ["", "ada", "@example.com", "ada@"])
    def test_what_is_no_email_is_invalid(self, provider: LocalProvider, email: str) -> None:
        with pytest.raises(Invalid):
            provider.issue(email)

    def test_it_loads_neither_the_database_nor_the_web(self) -> None:
        program = (
            "import sys, myapp.identity.local;"
            "print([m for m in sys.modules if m.split('.')[0] in "
            "('tortoise', 'quart', 'redis', 'firebase_admin', 'pydantic')])"
        )
        output = subprocess.check_output([sys.executable, "-c", program], text=True)
        assert output.strip() == "[]"


class TestVerifying:
    @pytest.mark.parametrize("kind", GARBAGE)
    async def test_garbage_is_refused(self, provider: LocalProvider, kind: str) -> None:
        with pytest.raises(Unauthenticated):
            await provider.verify(GARBAGE[kind])

    @pytest.mark.parametrize("fault", WRONG_IN_ONE_POINT)
    async def test_what_is_wrong_in_one_point_is_refused(
        self, provider: LocalProvider, fault: str
    ) -> None:
        with pytest.raises(Unauthenticated):
            await provider.verify(WRONG_IN_ONE_POINT[fault])

    async def test_the_base_of_those_is_right(self, provider: LocalProvider) -> None:
        assert (await provider.verify(sign(claims()))).uid == "local:x"

    async def test_it_is_refused_from_the_very_moment_of_its_expiry(self) -> None:
        now = 1_000_000.0
        provider = LocalProvider(SECRET, clock=lambda: now)
        token = provider.issue("ada@example.com", expires_in=60)
        now += 59.9
        await provider.verify(token)
        now = 1_000_060.0
        with pytest.raises(Unauthenticated, match="expired"):
            await provider.verify(token)

    async def test_a_little_ahead_is_forgiven_and_more_is_not_yet_valid(self) -> None:
        now = 1_000_000.0
        token = LocalProvider(SECRET, clock=lambda: now + 5).issue("ada@example.com")
        far = LocalProvider(SECRET, clock=lambda: now + 15).issue("ada@example.com")
        provider = LocalProvider(SECRET, clock=lambda: now)
        await provider.verify(token)
        with pytest.raises(NotYetValid):
            await provider.verify(far)

    @pytest.mark.parametrize(
        ("claim", "value", "email", "verified"),
        [
            ("email", None, None, False),
            ("email", 7, None, False),
            ("email", "  ", None, False),
            ("email", "a@b.c", "a@b.c", True),
            ("email_verified", "true", "ada@example.com", False),
        ],
    )
    async def test_odd_claims_are_read_with_care(
        self,
        provider: LocalProvider,
        claim: str,
        value: object,
        email: str | None,
        verified: bool,
    ) -> None:
        base = claims(email="ada@example.com", email_verified=True)
        identity = await provider.verify(sign({**base, claim: value}))
        assert (identity.email, identity.email_verified) == (email, verified)

    async def test_a_name_keeps_its_letters_and_loses_what_no_database_takes(
        self, provider: LocalProvider
    ) -> None:
        identity = await provider.verify(sign(claims(name="山田\u3000太郎\0\ud800\n")))
        assert identity.name == "山田\u3000太郎"


class TestShape:
    def test_every_spelling_but_one_of_a_signature_is_refused(self) -> None:
        token = LocalProvider(SECRET).issue("ada@example.com")
        check_shape(token)
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        signature = token.rpartition(".")[2]
        same = [
            token[:-1] + letter
            for letter in alphabet
            if base64.urlsafe_b64decode(signature[:-1] + letter + "=")
            == base64.urlsafe_b64decode(signature + "=")
        ]
        assert len(same) == 4
        for spelling in set(same) - {token}:
            with pytest.raises(Unauthenticated):
                check_shape(spelling)

    def test_an_unsigned_token_has_the_shape_since_the_emulator_issues_them(self) -> None:
        check_shape(encode({"alg": "none"}) + "." + encode(claims()) + ".")

    @pytest.mark.parametrize(
        "token",
        [
            "",
            "abcde",
            "a.b",
            "..",
            ".e30.e30",
            "e30..e30",
            "e30.e30.e30.e30",
            "e30.e30.e30\n",
            "e30.e3 .e30",
            "e30=.e30.e30",
            "é30.e30.e30",
            "e30.e30." + "A" * 8192,
        ],
    )
    def test_anything_else_is_refused(self, token: str) -> None:
        with pytest.raises(Unauthenticated):
            check_shape(token)
