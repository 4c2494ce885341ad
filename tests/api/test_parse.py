"""Bodies and queries: what cannot be read, what does not fit, and where."""

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from cloud.api.errors import Malformed, problem_of
from cloud.api.parse import place_of, query_of, value_from_json
from cloud.api.route import Request
from cloud.domain.errors import Conflict, Invalid, Problem


class Row(Request, frozen=True):
    code: str
    area: int


class Sheet(Request, frozen=True):
    rows: list[Row]
    notes: dict[str, int] = msgspec.field(default_factory=dict)
    source: object = None


class Filter(Request, frozen=True):
    limit: int = 50
    open_only: bool = False


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        pytest.param(b'{"rows":[{"code":"1-101","area":"x"}]}', "/rows/0/area", id="wrong type"),
        pytest.param(b'{"rows":[{"code":"1-101"}]}', "/rows/0/area", id="missing field"),
        pytest.param(b'{"rows":[],"colour":1}', "/colour", id="unknown field"),
        pytest.param(b'{"rows":[{"code":"a","area":1,"a/b~c":2}]}', "/rows/0/a~1b~0c", id="escaped"),
        pytest.param(b'{"rows":[],"notes":{"k":"v"}}', "/notes", id="value of a mapping"),
        pytest.param(b"[]", "", id="another shape altogether"),
    ],
)
def test_what_does_not_fit_is_invalid_with_a_pointer(body: bytes, pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        value_from_json(body, Sheet)

    assert not isinstance(refused.value, Malformed)
    assert [problem.pointer for problem in refused.value.problems] == [pointer]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"rows":[', id="cut off"),
        pytest.param(b'{"rows":[{"code":"\xff","area":1}]}', id="not UTF-8"),
        pytest.param(b'{"rows":[],"source":' + b"[" * 100_000, id="too deep"),
        pytest.param(b"{rows:[]}", id="not JSON"),
        pytest.param(b'{"rows":NaN}', id="not a JSON number"),
    ],
)
def test_what_cannot_be_read_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        value_from_json(body, Sheet)


def test_a_query_is_read_by_its_types() -> None:
    request = make_mocked_request("GET", "/x?limit=7&open_only=true")

    assert query_of(request, Filter) == Filter(limit=7, open_only=True)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        pytest.param("limit=seven", "limit", id="wrong type"),
        pytest.param("page=2", "page", id="unknown"),
        pytest.param("limit=1&limit=2", "limit", id="twice"),
    ],
)
def test_a_query_that_does_not_fit_names_the_parameter(query: str, parameter: str) -> None:
    request = make_mocked_request("GET", f"/x?{query}")

    with pytest.raises(Invalid) as refused:
        query_of(request, Filter)

    _, document = problem_of(refused.value)
    assert [part.parameter for part in document.errors] == [parameter]


def test_a_place_in_a_mapping_points_at_the_mapping() -> None:
    error = msgspec.ValidationError("Expected `int`, got `str` - at `$.rows[3].notes[...].x`")

    assert place_of(error) == ("/rows/3/notes", "Expected `int`, got `str`")


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        pytest.param(Invalid("no", [Problem("/a", "b")]), 422, "invalid", id="domain"),
        pytest.param(Malformed("no"), 400, "malformed", id="subclass before its base"),
        pytest.param(Conflict("no"), 409, "conflict", id="conflict"),
        pytest.param(web.HTTPRequestEntityTooLarge(1, 2), 413, "too-large", id="of the framework"),
        pytest.param(ZeroDivisionError("secret"), 500, "internal", id="of ours"),
    ],
)
def test_an_error_has_one_status_and_one_name(error: Exception, status: int, name: str) -> None:
    kind, document = problem_of(error)

    assert (kind.status, kind.name, document.type) == (status, name, f"/problems/{name}")


def test_an_unknown_exception_tells_nothing() -> None:
    _, document = problem_of(KeyError("password=hunter2"))

    assert "hunter2" not in msgspec.json.encode(document).decode()
