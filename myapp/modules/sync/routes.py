"""Sync has no route: it is a task and a command."""

from quart import Blueprint

from myapp.middleware.auth import Auth
from myapp.modules.sync import SyncModule


def routes(_module: SyncModule, _auth: Auth) -> Blueprint:
    return Blueprint("sync", __name__)
