"""Which gateway is at the other end: the certificate it has proven to hold, and nothing it says.

The invariant: a name comes from a certificate verified in the TLS handshake of this very connection or,
on the unix socket only, from the one a proxy on this machine has verified and tells in `Client-Cert`
(RFC 9440, or percent-encoded PEM as nginx has it). Over TCP that header is never looked at.
"""

import base64
import binascii
import datetime
import socket
import ssl
import urllib.parse

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from cloud.domain.errors import Unauthenticated
from cloud.domain.gateway import ShownCertificate
from cloud.domain.ids import GatewayId, TenantId
from cloud.keys import AUTHORITY, CLOCK
from provisioning.authority import AuthorityError, gateway_named, gateway_of_uris

PROXY_HEADER = "Client-Cert"


def is_gateways_port(request: web.Request) -> bool:
    """Tell whether the request came in where gateways do: where a client certificate is asked for."""
    context = _extra(request, "sslcontext")
    if isinstance(context, ssl.SSLContext):
        return context.verify_mode is not ssl.CERT_NONE
    return _is_unix_socket(request)


def certificate_of(request: web.Request) -> ShownCertificate:
    """Return the certificate the peer has proven to hold; Unauthenticated if there is none."""
    try:
        if _is_unix_socket(request):
            return _told_by_proxy(request)
        connection = _extra(request, "ssl_object")
        shown = connection.getpeercert() if isinstance(connection, ssl.SSLObject) else None
        if not shown:
            raise Unauthenticated(
                "no gateway certificate: a box comes to the gateways' port with the one it enrolled for"
            )
        return _shown(shown)
    except AuthorityError as error:
        raise Unauthenticated(str(error)) from error


def whole_certificate_of(request: web.Request) -> x509.Certificate:
    """Return the certificate that `certificate_of` tells about; only where that is known to be there."""
    if _is_unix_socket(request):
        return x509.load_der_x509_certificate(_der(request.headers[PROXY_HEADER]))
    connection = _extra(request, "ssl_object")
    der = connection.getpeercert(True) if isinstance(connection, ssl.SSLObject) else None
    assert der is not None, "who has been known by a certificate has shown one"
    return x509.load_der_x509_certificate(der)


def says(certificate: x509.Certificate) -> ShownCertificate:
    """Return what a gateway's certificate says; AuthorityError if it is no gateway's."""
    name = gateway_named(certificate)
    return ShownCertificate(
        TenantId(name.tenant_id),
        GatewayId(name.gateway_id),
        f"{certificate.serial_number:x}",
        int(certificate.not_valid_before_utc.timestamp()) * 1000,
        int(certificate.not_valid_after_utc.timestamp()) * 1000,
    )


def _shown(shown: object) -> ShownCertificate:
    """Return what the TLS library says of a verified certificate; it has parsed it already."""
    assert isinstance(shown, dict), "the peer's certificate is a dict once it has been verified"
    name = gateway_of_uris([text for kind, text in shown.get("subjectAltName", ()) if kind == "URI"])
    return ShownCertificate(
        TenantId(name.tenant_id),
        GatewayId(name.gateway_id),
        f"{int(shown['serialNumber'], 16):x}",
        int(ssl.cert_time_to_seconds(shown["notBefore"])) * 1000,
        int(ssl.cert_time_to_seconds(shown["notAfter"])) * 1000,
    )


def _told_by_proxy(request: web.Request) -> ShownCertificate:
    told = request.headers.getall(PROXY_HEADER, [])
    if len(told) != 1 or not told[0]:
        raise Unauthenticated(f"the proxy tells no certificate: expected one {PROXY_HEADER} header")
    now = datetime.datetime.fromtimestamp(request.app[CLOCK]() / 1000, datetime.UTC)
    return says(request.app[AUTHORITY].verified(_der(told[0]), now))


def _der(told: str) -> bytes:
    try:
        if told.startswith(":") and told.endswith(":"):
            return base64.b64decode(told[1:-1], validate=True)
        pem = urllib.parse.unquote_to_bytes(told)
        return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    except (binascii.Error, ValueError) as error:
        raise AuthorityError(f"{PROXY_HEADER} is neither :base64: nor percent-encoded PEM") from error


def _is_unix_socket(request: web.Request) -> bool:
    peer = _extra(request, "socket")
    return getattr(peer, "family", None) == socket.AF_UNIX


def _extra(request: web.Request, name: str) -> object:
    return None if request.transport is None else request.transport.get_extra_info(name)
