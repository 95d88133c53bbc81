"""Live events: streams for clients, tickets to open them, and publishing."""

from dataclasses import dataclass

from myapp.audit import record_change
from myapp.module import Module
from myapp.modules.event.usecases import PublishUsecase, StreamUsecase
from myapp.resources import Resources
from myapp.secrets import derive_key
from myapp.sse.tickets import Tickets


@dataclass(frozen=True, kw_only=True)
class EventModule(Module):
    streams: StreamUsecase
    publishing: PublishUsecase
    has_page: bool


def init(resources: Resources) -> EventModule:
    """Builds the usecases of live events; the page to watch them is there in development only."""
    tickets = Tickets(resources.redis, secret=derive_key(resources.secret, "stream tickets"))
    return EventModule(
        streams=StreamUsecase(hub=resources.hub, accounts=resources.accounts, tickets=tickets),
        publishing=PublishUsecase(
            hub=resources.hub, accounts=resources.accounts, audit=record_change
        ),
        has_page=not resources.settings.production,
    )
