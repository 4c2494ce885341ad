"""One request to a program of ours on this machine, past whatever proxy is configured for the world."""

import http.client
import json
from dataclasses import dataclass

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    content: bytes


def ask(port: int, method: str, path: str, body: object = None, *, timeout_s: float = 2.0) -> Answer | None:
    """Return the answer, None where nobody answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_s)
    data = None if body is None else json.dumps(body).encode()
    headers = {} if data is None else {"Content-Type": "application/json"}
    try:
        connection.request(method, path, data, headers)
        response = connection.getresponse()
        return Answer(response.status, response.read())
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
