"""Accounts over gRPC: requests become calls of the usecases, and what they give messages."""
# ruff: noqa: N802  # gRPC names methods so

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

from grpclib.server import Stream

from myapp.audit import Actor
from myapp.database.api_key import Scope
from myapp.database.audit import ActorType
from myapp.database.user import User
from myapp.errors import FieldError, Invalid, Unauthenticated
from myapp.grpc.account_feed import AccountFeed
from myapp.grpc.account_filter import parse_filter
from myapp.grpc.account_messages import parse_id, parse_ids, parse_settable, to_account
from myapp.grpc.generated.account_grpc import AccountServiceBase
from myapp.grpc.generated.account_pb2 import (
    Account,
    BatchGetAccountsRequest,
    BatchGetAccountsResponse,
    GetAccountRequest,
    GetAccountResponse,
    ListAccountsRequest,
    ListAccountsResponse,
    UpdateAccountStatusRequest,
    UpdateAccountStatusResponse,
    VerifyTokenRequest,
    VerifyTokenResponse,
    WatchAccountsRequest,
    WatchAccountsResponse,
)
from myapp.grpc.page_tokens import PageTokens
from myapp.grpc.stream import CallStream
from myapp.identity.accounts import Accounts
from myapp.identity.authenticator import Authenticator, Principal
from myapp.modules.user.dtos import UserChanges
from myapp.modules.user.usecases import AdministrationUsecase, DirectoryUsecase, Place
from myapp.paging import MAX_PER_PAGE
from myapp.storage.base import Storage

MAX_IDS = 100
USUAL_PAGE_SIZE = 20

# What each method takes of a key.
SCOPES: Mapping[str, Scope] = {
    "/myapp.account.v1.AccountService/GetAccount": Scope.ACCOUNTS_READ,
    "/myapp.account.v1.AccountService/BatchGetAccounts": Scope.ACCOUNTS_READ,
    "/myapp.account.v1.AccountService/ListAccounts": Scope.ACCOUNTS_READ,
    "/myapp.account.v1.AccountService/VerifyToken": Scope.ACCOUNTS_READ,
    "/myapp.account.v1.AccountService/UpdateAccountStatus": Scope.ACCOUNTS_WRITE,
    "/myapp.account.v1.AccountService/WatchAccounts": Scope.ACCOUNTS_READ,
}

Request = TypeVar("Request")


class AccountService(AccountServiceBase):
    """What account.proto promises; the comments there are its documentation."""

    def __init__(
        self,
        *,
        administration: AdministrationUsecase,
        directory: DirectoryUsecase,
        authenticator: Authenticator,
        accounts: Accounts,
        storage: Storage,
        feed: AccountFeed,
        page_tokens: PageTokens,
    ) -> None:
        self._administration = administration
        self._directory = directory
        self._authenticator = authenticator
        self._accounts = accounts
        self._storage = storage
        self._feed = feed
        self._page_tokens = page_tokens

    async def GetAccount(self, stream: Stream[GetAccountRequest, GetAccountResponse]) -> None:
        request = await read(stream)
        user = await self._administration.get(parse_id(request.id))
        await stream.send_message(GetAccountResponse(account=await self._to_account(user)))

    async def BatchGetAccounts(
        self, stream: Stream[BatchGetAccountsRequest, BatchGetAccountsResponse]
    ) -> None:
        request = await read(stream)
        if len(request.ids) > MAX_IDS:
            fault = FieldError("ids", f"has more than {MAX_IDS} ids")
            raise Invalid("These are too many at once", details=[fault])
        ids = parse_ids(request.ids)
        found = await self._directory.get_many(set(ids))
        await stream.send_message(
            BatchGetAccountsResponse(
                accounts=await self._to_accounts(found[each] for each in ids if each in found),
                missing_ids=[str(each) for each in ids if each not in found],
            )
        )

    async def ListAccounts(self, stream: Stream[ListAccountsRequest, ListAccountsResponse]) -> None:
        request = await read(stream)
        size = page_size(request.page_size)
        wanted = parse_filter(request.filter)
        after = None
        if request.page_token:
            after = self._page_tokens.read(request.page_token, bound_to=request.filter)
        # One more than asked for: it shows whether there is another page.
        users = await self._directory.find(wanted, after=after, limit=size + 1)
        answer = ListAccountsResponse(accounts=await self._to_accounts(users[:size]))
        if len(users) > size:
            last = Place.of(users[size - 1])
            answer.next_page_token = self._page_tokens.write(last, bound_to=request.filter)
        await stream.send_message(answer)

    async def VerifyToken(self, stream: Stream[VerifyTokenRequest, VerifyTokenResponse]) -> None:
        request = await read(stream)
        principal = await self._authenticate(request.token)
        await stream.send_message(
            VerifyTokenResponse(
                account=await self._to_account(principal.user), expires_at=principal.expires_at
            )
        )

    async def UpdateAccountStatus(
        self, stream: Stream[UpdateAccountStatusRequest, UpdateAccountStatusResponse]
    ) -> None:
        request = await read(stream)
        user_id, changes = parse_id(request.id), UserChanges(status=parse_settable(request.status))
        try:
            user = await self._administration.change(user_id, changes, actor_of(stream))
        except asyncio.CancelledError:
            # A deadline may pass just after the commit: then everybody has to hear of it still.
            await self._accounts.announce(user_id)
            raise
        await stream.send_message(UpdateAccountStatusResponse(account=await self._to_account(user)))

    async def WatchAccounts(
        self, stream: Stream[WatchAccountsRequest, WatchAccountsResponse]
    ) -> None:
        await read(stream)
        async with self._feed.watch(cast("CallStream", stream).end) as changes:
            await stream.send_initial_metadata()  # from here on nothing is missed
            while True:
                await stream.send_message(await changes.get())

    async def _authenticate(self, token: str) -> Principal:
        try:
            return await self._authenticator.authenticate(token)
        except Unauthenticated as error:  # the caller has a key to doubt as well
            fault = FieldError("token", error.text)
            raise Unauthenticated(error.text, details=[fault]) from None

    async def _to_account(self, user: User) -> Account:
        return await to_account(user, self._storage)

    async def _to_accounts(self, users: Iterable[User]) -> list[Account]:
        return [await self._to_account(user) for user in users]


async def read(stream: Stream[Request, Any]) -> Request:
    """The request of a call that has one. Raises Invalid without it."""
    request = await stream.recv_message()
    if request is None:
        raise Invalid("The request has no message")
    return request


def page_size(asked: int) -> int:
    """Raises Invalid for a negative one."""
    if asked < 0:
        fault = FieldError("page_size", "is negative")
        raise Invalid("The page size is not valid", details=[fault])
    return min(asked or USUAL_PAGE_SIZE, MAX_PER_PAGE)


def actor_of(stream: Stream[Any, Any]) -> Actor:
    """Who calls, as the audit log knows them."""
    call = cast("CallStream", stream)
    return Actor(ActorType.API_KEY, str(call.caller.id), call.address, call.request_id)
