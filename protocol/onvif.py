"""ONVIF as far as a camera's picture needs it: questions and answers in SOAP, and who is there.

What is asked, in this order, and what follows from it:

    GetSystemDateAndTime    → its clock, by which our token must be dated; anybody may ask
    GetDeviceInformation    → maker, model, firmware, serial number
    GetCapabilities         → the address of its media service
    GetProfiles             → the names of its pictures, the best first as the camera lists them
    GetSnapshotUri          → where the picture is fetched, by HTTP with digest authentication

The invariant: an answer is read without ever opening what it refers to: a document type, an entity or
an external address in it makes it no answer. Sources: ONVIF Core and Media Specification 2.x,
WS-Discovery (April 2005), WS-Security UsernameToken Profile 1.0.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from protocol.errors import FrameError, Refused

DISCOVERY_GROUP, DISCOVERY_PORT = "239.255.255.250", 3702
DEVICE_SERVICE_PATH = "/onvif/device_service"
SOAP_CONTENT_TYPE = "application/soap+xml; charset=utf-8"
# The longest answer seen is GetProfiles of a camera with eight of them: 40 kB.
SOAP_BYTES_MAX = 256 * 1024
# Cameras nest some ten deep; far more is made to tire the reader.
_DEPTH_MAX = 64
# Texts of a camera are shown to people and kept: none needs to be longer.
_TEXT_MAX = 128
_ADDRESS_MAX = 1_024

SOAP = "http://www.w3.org/2003/05/soap-envelope"
DEVICE = "http://www.onvif.org/ver10/device/wsdl"
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
SCHEMA = "http://www.onvif.org/ver10/schema"
NETWORK = "http://www.onvif.org/ver10/network/wsdl"
DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
SECURITY = f"{_OASIS}-wssecurity-secext-1.0.xsd"
UTILITY = f"{_OASIS}-wssecurity-utility-1.0.xsd"
_DIGEST = f"{_OASIS}-username-token-profile-1.0#PasswordDigest"
_BASE64 = f"{_OASIS}-soap-message-security-1.0#Base64Binary"
_PROBE = f"{DISCOVERY}/Probe"
_NOT_AUTHORIZED = "NotAuthorized"

_SCOPE = "onvif://www.onvif.org/"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Credential:
    """Who asks. `password` stays in the box and never travels: only a digest of it does."""

    username: str
    password: str


@dataclass(frozen=True, slots=True)
class DeviceInformation:
    """What a camera says it is."""

    maker: str
    model: str
    firmware: str
    serial: str


@dataclass(frozen=True, slots=True)
class Match:
    """A camera that answered a probe: its endpoint stays the same when its address changes."""

    endpoint: str  # urn:uuid:…
    addresses: tuple[str, ...]  # of its device service
    name: str
    hardware: str
    location: str


def request(body: str, credential: Credential | None, nonce: bytes, created_at_ms: int) -> bytes:
    """Return a question as it is posted; without a credential it is asked as nobody.

    `created_at_ms` is by the camera's own clock: it refuses a token of another day.
    """
    header = ""
    if credential is not None:
        header = f"<s:Header>{_token(credential, nonce, created_at_ms)}</s:Header>"
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{SOAP}">{header}'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


GET_SYSTEM_DATE_AND_TIME = f'<GetSystemDateAndTime xmlns="{DEVICE}"/>'
GET_DEVICE_INFORMATION = f'<GetDeviceInformation xmlns="{DEVICE}"/>'
GET_CAPABILITIES = f'<GetCapabilities xmlns="{DEVICE}"><Category>Media</Category></GetCapabilities>'
GET_PROFILES = f'<GetProfiles xmlns="{MEDIA}"/>'


def get_snapshot_uri(profile_token: str) -> str:
    """Return the question where the picture of a profile is fetched."""
    token = escape(profile_token)
    return f'<GetSnapshotUri xmlns="{MEDIA}"><ProfileToken>{token}</ProfileToken></GetSnapshotUri>'


def password_digest(nonce: bytes, created: str, password: str) -> str:
    """Return Base64(SHA-1(nonce + created + password)), UsernameToken Profile 1.0 §3.1."""
    # SHA-1 is what the profile names; what protects the password is that it is never sent.
    digest = hashlib.sha1(nonce + created.encode() + password.encode(), usedforsecurity=False)
    return base64.b64encode(digest.digest()).decode()


def _token(credential: Credential, nonce: bytes, created_at_ms: int) -> str:
    instant = _EPOCH + timedelta(milliseconds=created_at_ms)
    created = instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{created_at_ms % 1000:03d}Z"
    digest = password_digest(nonce, created, credential.password)
    return (
        f'<o:Security xmlns:o="{SECURITY}" xmlns:u="{UTILITY}" s:mustUnderstand="true"><o:UsernameToken>'
        f"<o:Username>{escape(credential.username)}</o:Username>"
        f'<o:Password Type="{_DIGEST}">{digest}</o:Password>'
        f'<o:Nonce EncodingType="{_BASE64}">{base64.b64encode(nonce).decode()}</o:Nonce>'
        f"<u:Created>{created}</u:Created></o:UsernameToken></o:Security>"
    )


def read_envelope(content: bytes) -> Element:
    """Return the body of a SOAP message; FrameError if it is none, Refused where it is a fault."""
    if len(content) > SOAP_BYTES_MAX:
        raise FrameError(f"SOAP: {len(content)} bytes, at most {SOAP_BYTES_MAX} are read")
    try:
        root: Element = fromstring(content, forbid_dtd=True)
    except (ParseError, DefusedXmlException, LookupError, ValueError, RecursionError) as error:
        raise FrameError(f"SOAP: no XML that is read here: {type(error).__name__}") from error
    if root.tag != f"{{{SOAP}}}Envelope":
        raise FrameError(f"SOAP: an envelope was expected, not {root.tag[:_TEXT_MAX]!r}")
    if _is_deeper(root, _DEPTH_MAX):
        raise FrameError(f"SOAP: nested more than {_DEPTH_MAX} deep")
    body = root.find(f"{{{SOAP}}}Body")
    if body is None:
        raise FrameError("SOAP: the envelope has no body")
    fault = body.find(f"{{{SOAP}}}Fault")
    if fault is not None:
        raise _refusal(fault)
    return body


def read_header(content: bytes) -> Element | None:
    """Return the header of a SOAP message that `read_envelope` has accepted."""
    root: Element = fromstring(content, forbid_dtd=True)
    return root.find(f"{{{SOAP}}}Header")


def _is_deeper(root: Element, most: int) -> bool:
    level, depth = [root], 0
    while level:
        depth += 1
        if depth > most:
            return True
        level = [child for element in level for child in element]
    return False


def _refusal(fault: Element) -> Refused:
    codes = [element.text or "" for element in fault.iter(f"{{{SOAP}}}Value")]
    if any(code.rpartition(":")[2] == _NOT_AUTHORIZED for code in codes):
        return Refused("the camera does not know this user and password", code=401)
    reason = next((element.text or "" for element in fault.iter(f"{{{SOAP}}}Text")), "")
    return Refused(f"the camera refuses: {reason.strip()[:_TEXT_MAX] or 'it does not say why'}")


def read_time_ms(content: bytes) -> int:
    """Return the camera's clock from its answer to GetSystemDateAndTime, UTC epoch milliseconds."""
    utc = read_envelope(content).find(f".//{{{SCHEMA}}}UTCDateTime")
    if utc is None:
        raise FrameError("GetSystemDateAndTime: no UTCDateTime in it")
    names = ("Year", "Month", "Day", "Hour", "Minute", "Second")
    texts = [_text(utc, f".//{{{SCHEMA}}}{name}") for name in names]
    if not all(re.fullmatch(r"[0-9]{1,4}", text) for text in texts):
        raise FrameError(f"GetSystemDateAndTime: {' '.join(texts)!r} is no date and time")
    year, month, day, hour, minute, second = map(int, texts)
    try:
        # A leap second is written as 60.
        at = datetime(year, month, day, hour, minute, tzinfo=UTC) + timedelta(seconds=min(second, 60))
    except (ValueError, OverflowError) as error:
        raise FrameError(f"GetSystemDateAndTime: {error}") from error
    return int((at - _EPOCH).total_seconds()) * 1000


def read_device_information(content: bytes) -> DeviceInformation:
    """Return what a camera says it is; what it leaves out is ""."""
    body = read_envelope(content)
    names = ("Manufacturer", "Model", "FirmwareVersion", "SerialNumber")
    return DeviceInformation(*(_text(body, f".//{{{DEVICE}}}{name}") for name in names))


def read_media_address(content: bytes) -> str:
    """Return the address of the media service from the answer to GetCapabilities."""
    media = read_envelope(content).find(f".//{{{SCHEMA}}}Media/{{{SCHEMA}}}XAddr")
    return _http_address("GetCapabilities", "" if media is None else media.text or "")


def read_profiles(content: bytes) -> list[str]:
    """Return the tokens of the media profiles, as the camera lists them; FrameError if there are none."""
    found = [element.get("token", "") for element in read_envelope(content).iter(f"{{{MEDIA}}}Profiles")]
    tokens = [token for token in found if 0 < len(token) <= _TEXT_MAX]
    if not tokens:
        raise FrameError("GetProfiles: no profile in it")
    return tokens


def read_snapshot_uri(content: bytes) -> str:
    """Return where a picture is fetched."""
    uri = read_envelope(content).find(f".//{{{SCHEMA}}}Uri")
    return _http_address("GetSnapshotUri", "" if uri is None else uri.text or "")


def _http_address(what: str, text: str) -> str:
    address = text.strip()
    try:
        parts = urlsplit(address)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or len(address) > _ADDRESS_MAX or re.search(r"[\s\x00-\x1f\x7f]", address):
        raise FrameError(f"{what}: {address[:_TEXT_MAX]!r} is no address of HTTP")
    return address


def probe(message_id: str) -> bytes:
    """Return the datagram that asks every camera on the network to say where it is."""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" '
        f'xmlns:d="{DISCOVERY}" xmlns:n="{NETWORK}"><s:Header>'
        f"<a:Action>{_PROBE}</a:Action><a:MessageID>{escape(message_id)}</a:MessageID>"
        "<a:ReplyTo><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address>"
        "</a:ReplyTo><a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header>"
        "<s:Body><d:Probe><d:Types>n:NetworkVideoTransmitter</d:Types></d:Probe></s:Body></s:Envelope>"
    ).encode()


def read_matches(datagram: bytes, message_id: str) -> list[Match]:
    """Return who answered; FrameError where it is no answer to the probe with that number."""
    body = read_envelope(datagram)
    header = read_header(datagram)
    related = "" if header is None else _text(header, f"{{{ADDRESSING}}}RelatesTo")
    if related != message_id:
        raise FrameError(f"ProbeMatches: it answers {related!r}, we asked {message_id!r}")
    return list(_matches(body))


def _matches(body: Element) -> Iterator[Match]:
    for found in body.iter(f"{{{DISCOVERY}}}ProbeMatch"):
        endpoint = _text(found, f"{{{ADDRESSING}}}EndpointReference/{{{ADDRESSING}}}Address")
        addresses: list[str] = []
        element = found.find(f"{{{DISCOVERY}}}XAddrs")
        for address in ("" if element is None else element.text or "").split():
            try:
                addresses.append(_http_address("ProbeMatch", address))
            except FrameError:
                continue  # an address of IPv6 without brackets, of file: the others still count
        scopes = found.find(f"{{{DISCOVERY}}}Scopes")
        said = ("" if scopes is None else scopes.text or "").split()
        if endpoint and addresses:
            yield Match(
                endpoint,
                tuple(addresses),
                _scope(said, "name"),
                _scope(said, "hardware"),
                _scope(said, "location"),
            )


def _scope(scopes: list[str], name: str) -> str:
    """Return what a camera says of itself under a scope: `onvif://www.onvif.org/name/Front%20door`."""
    prefix = f"{_SCOPE}{name}/"
    value = next((scope.removeprefix(prefix) for scope in scopes if scope.startswith(prefix)), "")
    decoded = re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found[1].decode()), value.encode())
    return decoded.decode("utf-8", "replace")[:_TEXT_MAX]


def _text(element: Element, path: str) -> str:
    found = element.find(path)
    return "" if found is None else (found.text or "").strip()[:_TEXT_MAX]
