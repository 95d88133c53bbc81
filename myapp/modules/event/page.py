"""The page for development: sign in, watch live events, send one."""

import hashlib
import re
from base64 import b64encode
from functools import cache
from importlib.resources import files

from quart import Response
from quart_schema import hide


@hide
async def get_page() -> Response:
    html, policy = read_page()
    response = Response(html, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = policy
    return response


@cache
def read_page() -> tuple[str, str]:
    """The page, and the policy that lets its own script and style run and nothing else."""
    html = (files("myapp.modules.event") / "page.html").read_text()
    policy = (
        f"default-src 'none'; script-src {hashes(html, 'script')}; "
        f"style-src {hashes(html, 'style')}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return html, policy


def hashes(html: str, tag: str) -> str:
    """The sources in a policy that stand for every element of that name, by its content."""
    texts = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
    digests = (b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
    return " ".join(f"'sha256-{digest}'" for digest in digests)
