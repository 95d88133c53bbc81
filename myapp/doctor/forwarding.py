"""X-Forwarded-* from somebody whom TRUSTED_PROXIES does not name, as the api role noted it."""

from ipaddress import ip_address

from redis.asyncio import Redis

from myapp.config import Settings
from myapp.doctor.findings import Finding, ok, warning
from myapp.middleware.forwarding import NOTE_DAYS, read_note


async def look_at_forwarding(redis: Redis, settings: Settings) -> Finding:
    """A peer that is named by now was the matter once, and is no more."""
    note = await read_note(redis)
    name = "forwarding"
    if note is None:
        message = f"No peer that is not trusted has sent X-Forwarded-* in the last {NOTE_DAYS} days"
        return ok(name, message)
    if any(ip_address(note.peer) in network for network in settings.trusted_proxies):
        return ok(
            name, f"TRUSTED_PROXIES names {note.peer} by now, whose X-Forwarded-* was ignored"
        )
    message = (
        f"{note.requests} requests came with X-Forwarded-* that was not believed, the last from"
        f" {note.peer} at {note.seen_at:%Y-%m-%d %H:%M} UTC"
    )
    advice = (
        f"If {note.peer} is your proxy, name it in TRUSTED_PROXIES: until then all its clients"
        " share its address in rate limits and logs; if it is a client, there is nothing to do"
    )
    return warning(name, message, advice)
