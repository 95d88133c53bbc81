"""The least that Quart can do: `GET /auth/me` with a constant answer, for nobody in particular."""

from typing import Any

from quart import Quart

ME = {
    "id": "01995d2f-04a9-7e4c-8f8a-7b3d1e5f902c",
    "email": "user0@example.com",
    "name": None,
    "phone": None,
    "avatar_url": None,
    "status": "active",
    "role": "user",
    "created_at": "2026-01-01T00:00:00.000000Z",
}

app = Quart(__name__)


@app.get("/auth/me")
async def get_me() -> dict[str, Any]:
    return {"success": True, "data": ME}
