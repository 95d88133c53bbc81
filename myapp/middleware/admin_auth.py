"""Who may administer."""

from myapp.enums import UserRole
from myapp.errors import Forbidden
from myapp.identity.api_keys import ApiKeyPrincipal
from myapp.identity.authenticator import Principal


def require_admin(caller: Principal | ApiKeyPrincipal) -> None:
    """Raises Forbidden unless it is a user whose role is `admin`; a key never is."""
    if not isinstance(caller, Principal) or caller.user.role is not UserRole.ADMIN:
        raise Forbidden("This is for administrators")
