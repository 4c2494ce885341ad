"""The headers that keep a browser from being turned against its user (ASVS 5.0 §3.4, §14.3).

The invariant: they are on every answer, errors and streams included. Pages carry no inline script or
style, so the policy needs no exception; the one page that differs says so in `CONTENT_POLICY` of its answer.
"""

from aiohttp import web

from cloud.keys import CONFIG

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)

# Swagger UI's stylesheet holds its arrows as data: images.
DOCUMENTATION_POLICY = CONTENT_SECURITY_POLICY + "; img-src 'self' data:"

_ALWAYS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Everything is private unless the answer itself says otherwise (hashed assets do).
    "Cache-Control": "no-store",
}
_HSTS_TWO_YEARS = "max-age=63072000; includeSubDomains"


async def add_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add what the answer does not already say; a signal of the application, so nothing escapes it."""
    for name, value in _ALWAYS.items():
        response.headers.setdefault(name, value)
    if is_secure(request):
        response.headers.setdefault("Strict-Transport-Security", _HSTS_TWO_YEARS)
    response.headers.popall("Server", None)


def is_secure(request: web.Request) -> bool:
    """Tell whether the browser reached us over TLS, by ourselves or through the proxy in front of us."""
    origin = request.app[CONFIG].http.public_origin
    return origin.startswith("https://") if origin else request.secure
