"""Typed keys: what the application and each request carry.

The invariant: the wiring (`cloud.app`) puts every application key there before a request is served;
a handler reads them and never builds such a thing itself.
"""

from collections.abc import Mapping

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.authority import Authority
from cloud.config import Config
from cloud.domain.payment import Method
from cloud.domain.user import SessionLimits, User
from cloud.live import Hub
from cloud.press.room import PressRoom
from cloud.providers.provider import Provider
from cloud.services.passwords import Passwords
from cloud.store.db import Clock, Database, Keyring

AUTHORITY: web.AppKey[Authority] = web.AppKey("authority", Authority)
CONFIG: web.AppKey[Config] = web.AppKey("config", Config)
CLOCK: web.AppKey[Clock] = web.AppKey("clock")
COMMAND_KEY: web.AppKey[Ed25519PrivateKey] = web.AppKey("command_key", Ed25519PrivateKey)
DATABASE: web.AppKey[Database] = web.AppKey("database", Database)
PROVIDERS: web.AppKey[Mapping[Method, Provider]] = web.AppKey("providers")
KEYRING: web.AppKey[Keyring] = web.AppKey("keyring", Keyring)
PASSWORDS: web.AppKey[Passwords] = web.AppKey("passwords", Passwords)
PRESS: web.AppKey[PressRoom] = web.AppKey("press", PressRoom)
SESSION_LIMITS: web.AppKey[SessionLimits] = web.AppKey("session_limits", SessionLimits)
LIVE: web.AppKey[Hub] = web.AppKey("live", Hub)

ACTOR: web.RequestKey[User | None] = web.RequestKey("actor")
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)
