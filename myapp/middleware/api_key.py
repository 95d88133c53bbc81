"""What a service's key may do."""

from myapp.database.api_key import Scope
from myapp.errors import Forbidden
from myapp.identity.api_keys import ApiKeyPrincipal

HEADER = "X-API-Key"


def require_scope(caller: ApiKeyPrincipal, scope: Scope) -> None:
    """Raises Forbidden for a key that lacks the scope."""
    if scope not in caller.scopes:
        raise Forbidden(f"This takes a key with the scope {scope}")
