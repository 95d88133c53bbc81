"""What a supervisor refuses; e2e/test_supervisor.py has one at work."""

import pytest

from myapp.config import ConfigError, Settings
from myapp.enums import Role
from myapp.supervision.supervisor import supervise


@pytest.mark.parametrize("roles", [list(Role), [Role.API, Role.WORKER], [Role.WORKER]])
def test_other_roles_than_the_api_alone_are_refused(roles: list[Role]) -> None:
    with pytest.raises(ConfigError, match=r"^WEB_CONCURRENCY: "):
        supervise(Settings(web_concurrency=2), roles)
