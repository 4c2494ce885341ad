"""Errors as the API tells them: problem documents (RFC 9457), from one table.

The invariant: every answer of the API with a status of 400 or more is such a document, its `type` is a
path of ours that explains it, and an exception we don't know tells nothing but the request's number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import msgspec
from aiohttp import hdrs, web

from cloud.api.answers import ChangedMeanwhile
from cloud.domain.access import RECENT_MS
from cloud.domain.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    ReauthenticationNeeded,
    SecondFactorNeeded,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from cloud.keys import REQUEST_ID
from cloud.services.idempotency import KeyReused

# As OAuth resources say it (RFC 9470).
_STEP_UP = f', error="insufficient_user_authentication", max_age="{RECENT_MS // 1000}"'

PROBLEM_PREFIX = "/problems/"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: its stable name, its status, its title in both languages, what to do."""

    name: str
    status: int
    title_zh: str
    title_en: str
    advice: str


class Malformed(Invalid):
    """The request cannot even be read: not JSON, not UTF-8, not compressed as it says."""


_KINDS = (
    Kind("conflict", 409, "与当前状态冲突", "Conflict", "Read the thing again and decide anew."),
    Kind("forbidden", 403, "没有权限", "Forbidden", "Ask somebody whose role allows it."),
    Kind("idempotency-key-reused", 422, "幂等键已用于其他请求", "Key reused", "Make a new Idempotency-Key."),
    Kind("internal", 500, "服务器出错", "Internal error", "Quote the request id to whoever runs the server."),
    Kind("invalid", 422, "内容不符合要求", "Invalid", "`errors` lists each part that does not make sense."),
    Kind("malformed", 400, "请求无法读取", "Malformed", "Send what the OpenAPI document describes."),
    Kind("method-not-allowed", 405, "不支持此方法", "Method not allowed", "See the `Allow` header."),
    Kind("not-found", 404, "没有此项", "Not found", "It does not exist, or is not for you to know of."),
    Kind("precondition-failed", 412, "已被他人修改", "Changed meanwhile", "Read it again, then decide anew."),
    Kind(
        "reauthentication-needed",
        401,
        "需要再次确认身份",
        "Show again who you are",
        "`POST /api/v1/sessions/current/reauthentication`, then send it again.",
    ),
    Kind("second-factor-needed", 401, "需要动态验证码", "Code needed", "Send `code` with the password."),
    Kind("too-large", 413, "请求过大", "Too large", "Send less at a time."),
    Kind("too-many-requests", 429, "请求过于频繁", "Too many requests", "Wait for `Retry-After`."),
    Kind("unauthenticated", 401, "需要登录", "Not signed in", "Sign in, or send `Authorization: Bearer`."),
    Kind("unavailable", 503, "暂时不可用", "Unavailable", "Nothing was changed; wait for `Retry-After`."),
    Kind("unsupported-media-type", 415, "不支持的格式", "Unsupported type", "Send `application/json`."),
)

KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _KINDS})

# First match wins, so a subclass stands before its base.
_KIND_OF_ERROR: Sequence[tuple[type[Exception], str]] = (
    (Malformed, "malformed"),
    (KeyReused, "idempotency-key-reused"),
    (ChangedMeanwhile, "precondition-failed"),
    (Invalid, "invalid"),
    (NotFound, "not-found"),
    (Conflict, "conflict"),
    (Forbidden, "forbidden"),
    (ReauthenticationNeeded, "reauthentication-needed"),
    (SecondFactorNeeded, "second-factor-needed"),
    (Unauthenticated, "unauthenticated"),
    (TooMany, "too-many-requests"),
    (Unavailable, "unavailable"),
    (web.HTTPBadRequest, "malformed"),
    (web.HTTPNotFound, "not-found"),
    (web.HTTPMethodNotAllowed, "method-not-allowed"),
    (web.HTTPRequestEntityTooLarge, "too-large"),
    (web.HTTPUnsupportedMediaType, "unsupported-media-type"),
)


class ProblemPart(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing wrong: where in the body (`#/rows/17/area`) or which query parameter, and what."""

    detail: str
    pointer: str = ""
    parameter: str = ""


class ProblemDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: tuple[ProblemPart, ...] = ()


def problem_of(error: Exception) -> tuple[Kind, ProblemDocument]:
    """Return the kind of `error` and its document, without title and request id of any one request."""
    kind = KINDS["internal"]
    for known, name in _KIND_OF_ERROR:
        if isinstance(error, known):
            kind = KINDS[name]
            break
    parts: tuple[ProblemPart, ...] = ()
    if isinstance(error, Invalid):
        parts = tuple(_part(problem.pointer, problem.detail) for problem in error.problems)
    if kind.name == "internal" or isinstance(error, web.HTTPException):
        detail = kind.advice
    else:
        detail = str(error) or kind.advice
    return kind, ProblemDocument(PROBLEM_PREFIX + kind.name, kind.title_en, kind.status, detail, "", parts)


async def render_problem(request: web.Request, error: Exception) -> web.Response:
    """Return the answer for `error`: the one place where an exception becomes a status."""
    kind, document = problem_of(error)
    title = kind.title_zh if _prefers_chinese(request) else kind.title_en
    document = msgspec.structs.replace(document, title=title, request_id=request[REQUEST_ID])
    response = web.Response(
        status=kind.status, body=msgspec.json.encode(document), content_type="application/problem+json"
    )
    if isinstance(error, TooMany | Unavailable):
        response.headers[hdrs.RETRY_AFTER] = str(error.retry_after_s)
    if isinstance(error, web.HTTPMethodNotAllowed):
        response.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
    if kind.status == 401:
        response.headers[hdrs.WWW_AUTHENTICATE] = 'Bearer realm="gatehouse"' + (
            _STEP_UP if isinstance(error, ReauthenticationNeeded) else ""
        )
    return response


def _part(pointer: str, detail: str) -> ProblemPart:
    if pointer.startswith("?"):
        return ProblemPart(detail, parameter=pointer[1:])
    return ProblemPart(detail, pointer="#" + pointer)


def _prefers_chinese(request: web.Request) -> bool:
    return request.headers.get(hdrs.ACCEPT_LANGUAGE, "").lower().startswith("zh")
