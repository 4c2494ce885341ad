"""How a box and a manager's shell ask a cloud over HTTP before anything else runs: one answer, no detours.

The invariant: never after a redirect, which would carry a password or token to somebody nobody named.
Standard library only.
"""

import json
import ssl
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import IO

ANSWER_BYTES_MAX = 4 << 20  # the largest that is asked for, a signed configuration, has up to 3 MiB


class EnrolmentError(Exception):
    """The cloud could not be reached, said no, or answered something else than agreed."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: object, newurl: str
    ) -> None:
        del fp, code, msg, headers
        raise EnrolmentError(f"{req.full_url} redirects to {newurl}: name that cloud instead, if it is yours")


def without_redirects(context: ssl.SSLContext) -> urllib.request.OpenerDirector:
    """Return what opens requests over TLS as `context` verifies it, and follows nobody elsewhere."""
    return urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=context))


def reason_of(error: urllib.error.HTTPError) -> str:
    """Return what the problem document (RFC 9457) says, or the bare status."""
    try:
        problem = json.loads(error.read(ANSWER_BYTES_MAX))
    except (ValueError, OSError, HTTPException):
        problem = None
    if not isinstance(problem, dict):
        return f"{error.code} {error.reason}"
    detail = str(problem.get("detail") or problem.get("title") or error.reason)
    parts = problem.get("errors")
    named = [f"{p.get('pointer')}: {p.get('detail')}" for p in parts or [] if isinstance(p, dict)]
    return f"{error.code} {detail}" + (f" ({'; '.join(named)})" if named else "")
