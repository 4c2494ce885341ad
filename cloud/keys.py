"""Typed keys: what the application and each request carry.

The invariant: the wiring (`cloud.app`) puts every application key there before a request is served;
a handler reads them and never builds such a thing itself.
"""

from aiohttp import web

from cloud.config import Config
from cloud.domain.user import User
from cloud.store.db import Clock, Database

CONFIG: web.AppKey[Config] = web.AppKey("config", Config)
CLOCK: web.AppKey[Clock] = web.AppKey("clock")
DATABASE: web.AppKey[Database] = web.AppKey("database", Database)

ACTOR: web.RequestKey[User | None] = web.RequestKey("actor")
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)
