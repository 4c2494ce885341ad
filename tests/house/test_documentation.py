"""The documentation checker finds what leads nowhere, and our own pages lead somewhere."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _checker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_docs", ROOT / "scripts" / "check_docs.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check_docs = _checker()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("[a](missing.md)", "missing.md: no such file", id="file"),
        pytest.param("![p](missing.png)", "missing.png: no such file", id="picture"),
        pytest.param(
            "[a](other.md#nowhere)", "other.md#nowhere: no heading of that name", id="missing-anchor"
        ),
        pytest.param("[a](#nowhere)", "#nowhere: no heading of that name", id="anchor-here"),
        pytest.param("see `cloud/absent.py`", "`cloud/absent.py`: no such file", id="code-path"),
    ],
)
def test_what_leads_nowhere_is_named(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "other.md").write_text("# Somewhere\n")
    page = tmp_path / "page.md"
    page.write_text(text)

    found = check_docs.problems_of(page)

    assert found == [f"{page}: {problem}"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[a](other.md#some-where-1)", id="second-heading-of-a-name"),
        pytest.param("[a](https://example.org/x.md)", id="another-host"),
        pytest.param("`[a](missing.md)` and `edge/drivers/x.py`", id="example-in-code"),
        pytest.param("```\n[a](missing.md)\n```", id="fenced"),
        pytest.param("see `protocol/reading.py`", id="code-path"),
    ],
)
def test_what_leads_somewhere_is_accepted(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.md").write_text("# Some where\n\n## Some where\n")
    page = tmp_path / "page.md"
    page.write_text(text)

    assert check_docs.problems_of(page) == []


def test_our_own_pages_lead_somewhere() -> None:
    problems = [
        p for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")] for p in check_docs.problems_of(page)
    ]

    assert problems == []


def _code_of_the_programs() -> str:
    sources = [*ROOT.glob("cloud/**/*.py"), *ROOT.glob("edge/**/*.py")]
    return "\n".join(source.read_text(encoding="utf-8") for source in sources)


def test_every_error_an_operator_can_meet_says_what_to_do() -> None:
    logged = re.compile(r"log\.(?:error|exception|critical)\(\s*\"([^\"]+)\"")
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

    messages = set(logged.findall(_code_of_the_programs()))

    assert len(messages) >= 10
    assert {message for message in messages if f"| {message} |" not in page} == set()


def test_no_row_explains_an_error_that_does_not_exist() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = page.partition("| message in the log |")[2].partition("Messages at start")[0]
    code = _code_of_the_programs()

    explained = re.findall(r"^\| ([a-z][^|]+?) \|", table, re.MULTILINE)

    assert [message for message in explained if f'"{message}"' not in code] == []
