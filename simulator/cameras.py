"""Cameras that speak ONVIF: found by WS-Discovery, asked by SOAP, their picture fetched with HTTP digest.

The invariants: nothing but the clock is told to who does not know the password; a token is taken once and
only while it is young; and a camera that is dead neither answers nor is found.
"""

import asyncio
import base64
import binascii
import contextlib
import hashlib
import hmac
import re
import secrets
import socket
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast
from urllib.parse import quote
from xml.sax.saxutils import escape

from aiohttp import hdrs, web

from protocol import onvif
from protocol.errors import ProtocolError
from simulator.clock import Clock
from simulator.scenes import View, picture

_REALM = "camera"
_MEDIA_PATH, _SNAPSHOT_PATH = "/onvif/media_service", "/onvif/snapshot"
# What cameras allow between their clock and a token's: five minutes.
_TOKEN_AGE_MAX_MS = 300_000
_PROFILES = ("main", "sub")
_DIGEST_FIELD = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')


@dataclass(frozen=True, slots=True)
class CameraMake:
    """What a camera is, and who may ask it."""

    device_id: str
    view: View
    model: str
    credential: onvif.Credential

    @property
    def endpoint(self) -> str:
        """Return the name it keeps for life."""
        return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, self.device_id)}"


class Camera:
    """One camera on a port of its own. `clock_offset_ms` is how far its clock is wrong."""

    def __init__(
        self, make: CameraMake, clock: Clock, host: str, is_dead: Callable[[], bool] = lambda: False
    ) -> None:
        self.make = make
        self.clock_offset_ms = 0
        self.pictures_given = 0
        self._clock = clock
        self._host = host
        self._is_dead = is_dead
        self._port = 0
        self._nonces: set[str] = set()
        self._tokens: set[str] = set()
        self._runner: web.AppRunner | None = None

    @property
    def address(self) -> str:
        """Return where it is: host and port."""
        return f"{self._host}:{self._port}"

    @property
    def is_dead(self) -> bool:
        """Tell whether it answers nobody."""
        return self._is_dead()

    async def open(self, port: int = 0) -> None:
        """Listen on that port, 0 for any."""
        app = web.Application()
        app.router.add_post(onvif.DEVICE_SERVICE_PATH, self._service)
        app.router.add_post(_MEDIA_PATH, self._service)
        app.router.add_get(_SNAPSHOT_PATH + "/{token}", self._snapshot)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, port)
        await site.start()
        self._port = int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    def now_ms(self) -> int:
        """Return the time by the camera's own clock."""
        return self._clock.now_ms() + self.clock_offset_ms

    async def _service(self, request: web.Request) -> web.Response:
        self._hang_up_if_dead(request)
        content = await request.read()
        try:
            body = onvif.read_envelope(content)
        except ProtocolError:
            return _soap(_fault("Sender", "WellFormed", "no SOAP"), 400)
        question = body[0].tag.rpartition("}")[2] if len(body) else ""
        if question == "GetSystemDateAndTime":
            return _soap(self._date_and_time())
        if not self._knows(content):
            return _soap(_fault("Sender", "NotAuthorized", "Sender not Authorized"), 400)
        match question:
            case "GetDeviceInformation":
                return _soap(self._information())
            case "GetCapabilities":
                address = f"http://{self.address}{_MEDIA_PATH}"
                media = f"<tt:Media><tt:XAddr>{address}</tt:XAddr></tt:Media>"
                return _soap(_answer("tds", question, f"<tds:Capabilities>{media}</tds:Capabilities>"))
            case "GetProfiles":
                found = "".join(
                    f'<trt:Profiles token="{one}" fixed="true"><tt:Name>{one}</tt:Name></trt:Profiles>'
                    for one in _PROFILES
                )
                return _soap(_answer("trt", question, found))
            case "GetSnapshotUri":
                token = "".join(body.itertext()).strip()
                if token not in _PROFILES:
                    return _soap(_fault("Sender", "NoProfile", "there is no such profile"), 400)
                uri = f"<tt:Uri>http://{self.address}{_SNAPSHOT_PATH}/{token}?size=hd</tt:Uri>"
                return _soap(_answer("trt", question, f"<trt:MediaUri>{uri}</trt:MediaUri>"))
        return _soap(_fault("Receiver", "ActionNotSupported", f"{question} is not implemented"), 500)

    def _hang_up_if_dead(self, request: web.Request) -> None:
        if self.is_dead:
            if request.transport is not None:
                request.transport.abort()
            raise web.HTTPServiceUnavailable

    def _date_and_time(self) -> str:
        at = datetime.fromtimestamp(self.now_ms() / 1000, UTC)
        time, date = (
            "".join(f"<tt:{name}>{getattr(at, name.lower())}</tt:{name}>" for name in names)
            for names in (("Hour", "Minute", "Second"), ("Year", "Month", "Day"))
        )
        utc = f"<tt:UTCDateTime><tt:Time>{time}</tt:Time><tt:Date>{date}</tt:Date></tt:UTCDateTime>"
        inner = f"<tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>{utc}</tds:SystemDateAndTime>"
        return _answer("tds", "GetSystemDateAndTime", inner)

    def _information(self) -> str:
        serial = self.make.endpoint[-12:].upper()
        said = {
            "Manufacturer": "Gatehouse",
            "Model": self.make.model,
            "FirmwareVersion": "5.7.12",
            "SerialNumber": serial,
            "HardwareId": self.make.model,
        }
        inner = "".join(f"<tds:{name}>{escape(text)}</tds:{name}>" for name, text in said.items())
        return _answer("tds", "GetDeviceInformation", inner)

    def _knows(self, content: bytes) -> bool:
        """Tell whether a question carries a token of ours: right, young, and seen for the first time."""
        header = onvif.read_header(content)
        if header is None:
            return False
        said = {
            element.tag.rpartition("}")[2]: (element.text or "").strip()
            for element in header.iter()
            if element.tag.startswith((f"{{{onvif.SECURITY}}}", f"{{{onvif.UTILITY}}}"))
        }
        try:
            nonce = base64.b64decode(said["Nonce"], validate=True)
            created = datetime.fromisoformat(said["Created"])
            digest, username = said["Password"], said["Username"]
            age_ms = self.now_ms() - int(created.timestamp() * 1000)
        except (KeyError, ValueError, binascii.Error):
            return False
        credential = self.make.credential
        expected = onvif.password_digest(nonce, said["Created"], credential.password)
        is_good = hmac.compare_digest(digest.encode(), expected.encode()) and username == credential.username
        if not is_good or abs(age_ms) > _TOKEN_AGE_MAX_MS or said["Nonce"] in self._tokens:
            return False
        self._tokens.add(said["Nonce"])
        return True

    async def _snapshot(self, request: web.Request) -> web.Response:
        self._hang_up_if_dead(request)
        if not self._has_digest(request):
            nonce = secrets.token_hex(16)
            self._nonces.add(nonce)
            challenge = f'Digest realm="{_REALM}", qop="auth", algorithm=MD5, nonce="{nonce}"'
            return web.Response(status=401, headers={hdrs.WWW_AUTHENTICATE: challenge})
        content = await asyncio.to_thread(picture, self.make.view, self.now_ms())
        self.pictures_given += 1
        return web.Response(body=content, content_type="image/jpeg")

    def _has_digest(self, request: web.Request) -> bool:
        """Check RFC 7616 digest authentication with MD5 and qop=auth, as cameras use it."""
        scheme, _, rest = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        said = {name: quoted or bare for name, quoted, bare in _DIGEST_FIELD.findall(rest)}
        if scheme.lower() != "digest" or said.get("nonce") not in self._nonces:
            return False
        credential = self.make.credential
        user = _md5(f"{credential.username}:{_REALM}:{credential.password}")
        what = _md5(f"{request.method}:{request.raw_path}")
        parts = (user, said["nonce"], said.get("nc", ""), said.get("cnonce", ""), said.get("qop", ""), what)
        is_here = said.get("uri") == request.raw_path and said.get("username") == credential.username
        return is_here and hmac.compare_digest(said.get("response", ""), _md5(":".join(parts)))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


_PREFIXES = (
    f'xmlns:s="{onvif.SOAP}" xmlns:tds="{onvif.DEVICE}" xmlns:trt="{onvif.MEDIA}" xmlns:tt="{onvif.SCHEMA}"'
)


def _answer(prefix: str, question: str, inner: str) -> str:
    return f"<{prefix}:{question}Response>{inner}</{prefix}:{question}Response>"


def _fault(code: str, subcode: str, reason: str) -> str:
    return (
        f'<s:Fault><s:Code><s:Value>s:{code}</s:Value><s:Subcode><s:Value xmlns:ter="http://www.onvif.org/ver10/'
        f'error">ter:{subcode}</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en">{escape(reason)}'
        "</s:Text></s:Reason></s:Fault>"
    )


def _soap(body: str, status: int = 200) -> web.Response:
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope {_PREFIXES}><s:Body>{body}</s:Body></s:Envelope>'
    )
    return web.Response(status=status, text=text, content_type="application/soap+xml", charset="utf-8")


class Discovery(asyncio.DatagramProtocol):
    """Answers probes for all cameras of a building, to who asked."""

    def __init__(self, cameras: list[Camera]) -> None:
        self._cameras = cameras
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self, host: str, port: int = onvif.DISCOVERY_PORT) -> int:
        """Join the group on the interface with that address; return the port."""
        with contextlib.ExitStack() as opened:
            listening = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(("", port))
            joined = struct.pack("4s4s", socket.inet_aton(onvif.DISCOVERY_GROUP), socket.inet_aton(host))
            listening.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
            listening.setblocking(False)
            await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=listening)
            opened.pop_all()
        return int(listening.getsockname()[1])

    def close(self) -> None:
        """Leave the group."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Python 3.11's own datagram transport does not derive from asyncio.DatagramTransport.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            body, header = onvif.read_envelope(data), onvif.read_header(data)
        except ProtocolError:
            return
        asked = None if header is None else header.find(f"{{{onvif.ADDRESSING}}}MessageID")
        if body.find(f"{{{onvif.DISCOVERY}}}Probe") is None or asked is None or self._transport is None:
            return
        for camera in self._cameras:
            if not camera.is_dead:
                self._transport.sendto(_match(camera, (asked.text or "").strip()), addr)


def _match(camera: Camera, asked: str) -> bytes:
    scopes = (
        "onvif://www.onvif.org/type/video_encoder",
        f"onvif://www.onvif.org/hardware/{camera.make.model}",
        f"onvif://www.onvif.org/name/{quote(camera.make.view.name)}",
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{onvif.SOAP}" '
        f'xmlns:a="{onvif.ADDRESSING}" xmlns:d="{onvif.DISCOVERY}" xmlns:dn="{onvif.NETWORK}"><s:Header>'
        f"<a:MessageID>urn:uuid:{uuid.uuid4()}</a:MessageID><a:RelatesTo>{escape(asked)}</a:RelatesTo>"
        f"<a:Action>{onvif.DISCOVERY}/ProbeMatches</a:Action></s:Header><s:Body><d:ProbeMatches>"
        f"<d:ProbeMatch><a:EndpointReference><a:Address>{camera.make.endpoint}</a:Address>"
        f"</a:EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types>"
        f"<d:Scopes>{' '.join(scopes)}</d:Scopes>"
        f"<d:XAddrs>http://{camera.address}{onvif.DEVICE_SERVICE_PATH}</d:XAddrs>"
        "<d:MetadataVersion>10</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>"
    ).encode()
