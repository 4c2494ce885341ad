"""Ask the cloud, as a manager, for a gateway's place and a token to enrol its box with.

The invariant: a password or token is sent only to the cloud the person named, over TLS unless that
cloud is this machine or plain HTTP was asked for by name.
"""

import ipaddress
import json
import urllib.error
import urllib.request
from base64 import b64decode
from dataclasses import dataclass, field
from http.client import HTTPException
from urllib.parse import urlsplit

from provisioning.enrolment_token import EnrolmentToken, parse_enrolment_token
from provisioning.http import ANSWER_BYTES_MAX, EnrolmentError, reason_of, without_redirects
from provisioning.identity import IdentityError, checked_cloud_url, tls_context

REQUEST_TIMEOUT_S = 20.0  # as long as the gateway's own attempts get


@dataclass(frozen=True, slots=True)
class Cloud:
    """A cloud at `url`, spoken to as the user who signed in."""

    url: str
    session: str = field(default="", repr=False)
    authority_pem: str = field(default="", repr=False)

    def sign_in(self, login: str, password: str) -> "Cloud":
        """Return this cloud with a session of that user; EnrolmentError if it refuses."""
        answer = self._post("/api/v1/sessions", {"login": login, "password": password})
        return Cloud(self.url, _text(answer, "token"), self.authority_pem)

    def sign_out(self) -> None:
        """End the session; afterwards this object is of no use."""
        self._send("DELETE", "/api/v1/sessions/current", None)

    def create_slot(self, site_code: str, code: str, name: str) -> EnrolmentToken:
        """Create a gateway in a site and return the token its box enrols with."""
        body = {"site_id": self._id_of("site", site_code), "code": code, "name": name or code}
        return _token(self._post("/api/v1/gateways", body))

    def offer_enrolment(self, code: str) -> EnrolmentToken:
        """Make a token for an existing gateway; the box it has goes on until another enrols."""
        gateway_id = self._id_of("gateway", code)
        return _token(self._post(f"/api/v1/gateways/{gateway_id}/enrolment", None))

    def carry_configuration(self, code: str) -> tuple[int, bytes]:
        """Return number and signed bytes of the configuration that was sent to a gateway and waits for it."""
        path = f"/api/v1/gateways/{self._id_of('gateway', code)}/configurations"
        items = self._send("GET", path, None).get("items")
        sent = [one for one in items if one.get("state") == "sent"] if isinstance(items, list) else []
        if not sent:
            raise EnrolmentError(f"{self.url} has sent no configuration that gateway {code!r} still lacks")
        answer = self._post(f"/api/v1/configurations/{_text(sent[0], 'configuration_id')}/bundle", None)
        try:
            return int(str(answer.get("number"))), b64decode(_text(answer, "bundle"), validate=True)
        except ValueError as error:
            raise EnrolmentError(f"the cloud's answer holds no configuration: {error}") from error

    def _id_of(self, noun: str, code: str) -> str:
        known: list[str] = []
        cursor = ""
        while True:
            page = self._send("GET", f"/api/v1/{noun}s{cursor}", None)
            items = page.get("items")
            for item in items if isinstance(items, list) else []:
                if isinstance(item, dict) and item.get("code") == code:
                    return _text(item, f"{noun}_id")
                known.append(str(item.get("code")) if isinstance(item, dict) else "?")
            if not page.get("next_cursor"):
                listed = ", ".join(known) or "none"
                raise EnrolmentError(f"{self.url} has no {noun} {code!r}; it has: {listed}")
            cursor = f"?cursor={_text(page, 'next_cursor')}"

    def _post(self, path: str, body: object) -> dict[str, object]:
        return self._send("POST", path, body)

    def _send(self, method: str, path: str, body: object) -> dict[str, object]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        if self.session:
            headers["Authorization"] = f"Bearer {self.session}"
        request = urllib.request.Request(self.url.rstrip("/") + path, data, headers, method=method)  # noqa: S310
        opener = without_redirects(tls_context(self.authority_pem))
        try:
            with opener.open(request, timeout=REQUEST_TIMEOUT_S) as answer:
                content = answer.read(ANSWER_BYTES_MAX)
        except urllib.error.HTTPError as error:
            raise EnrolmentError(f"{self.url} refused {method} {path}: {reason_of(error)}") from error
        except (urllib.error.URLError, HTTPException, OSError) as error:
            reason = getattr(error, "reason", error)
            raise EnrolmentError(f"cannot reach {self.url}: {reason}") from error
        if not content:
            return {}
        try:
            document = json.loads(content)
        except ValueError as error:
            raise EnrolmentError(f"{self.url}{path} did not answer JSON; is it a Gatehouse cloud?") from error
        if not isinstance(document, dict):
            raise EnrolmentError(f"{self.url}{path} answered a {type(document).__name__}, expected an object")
        return document


def cloud_at(url: str, *, allow_plain_http: bool = False, authority_pem: str = "") -> Cloud:
    """Return the cloud at `url`; EnrolmentError where a password would travel readable by others.

    With `authority_pem` only a cloud certified by that authority is spoken to.
    """
    try:
        parts = urlsplit(checked_cloud_url(url))
    except IdentityError as error:
        raise EnrolmentError(str(error)) from error
    if parts.scheme == "http" and not allow_plain_http and not _is_this_machine(parts.hostname or ""):
        raise EnrolmentError(
            f"{url} is plain HTTP: password and token would travel readable; use https://, "
            "or --allow-plain-http on a line nobody else can read"
        )
    return Cloud(url.rstrip("/"), authority_pem=authority_pem)


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _token(answer: dict[str, object]) -> EnrolmentToken:
    try:
        return parse_enrolment_token(_text(answer, "token"))
    except IdentityError as error:
        raise EnrolmentError(f"the cloud's answer holds {error}") from error


def _text(answer: dict[str, object], key: str) -> str:
    value = answer.get(key)
    if not isinstance(value, str) or not value:
        raise EnrolmentError(f"the cloud's answer has no {key!r}")
    return value
