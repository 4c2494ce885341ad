"""Check that the documentation points at things that exist.

Relative links and images must lead to a file, anchors to a heading, and a path of ours written in
backticks (`cloud/app.py`) to a file or folder of the checkout. Links to other hosts are not followed.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

_LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
# A path of ours: begins with one of our folders. A placeholder (x.py, <name>, *, …) is not a path.
_ROOMS = "bench cloud docs edge gatehouse protocol provisioning scripts simulator tests .ci".replace(" ", "|")
_OUR_PATH = re.compile(rf"^(?:{_ROOMS})/[\w./-]*$")
_PLACEHOLDER = re.compile(r"(^|/)x(\.|$)|_x\.")


def main() -> int:
    """Print each thing that leads nowhere; return 1 if there is one."""
    problems = [problem for page in sorted(_pages()) for problem in problems_of(page)]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def _pages() -> Iterator[Path]:
    yield from ROOT.glob("*.md")
    yield from ROOT.glob("docs/**/*.md")


def problems_of(page: Path) -> list[str]:
    """Return what is wrong with one page, each as `file: target: reason`."""
    text = page.read_text(encoding="utf-8")
    prose = _FENCE.sub("", text)
    name = page.relative_to(ROOT) if page.is_relative_to(ROOT) else page
    problems = []
    for target in _LINK.findall(_CODE.sub("", prose)):
        if re.match(r"^[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, anchor = target.partition("#")
        leads_to = (page.parent / path).resolve() if path else page
        if not leads_to.exists():
            problems.append(f"{name}: {target}: no such file")
        elif anchor and leads_to.suffix == ".md" and anchor not in anchors_of(leads_to):
            problems.append(f"{name}: {target}: no heading of that name")
    named = [code for code in _CODE.findall(prose) if _OUR_PATH.match(code) and not _PLACEHOLDER.search(code)]
    problems += [f"{name}: `{code}`: no such file" for code in named if not (ROOT / code).exists()]
    return problems


def anchors_of(page: Path) -> set[str]:
    """Return the anchors a renderer makes of a page's headings: lower case, hyphens, no punctuation."""
    anchors: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        plain = re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        number = 1
        anchor = plain
        while anchor in anchors:
            anchor, number = f"{plain}-{number}", number + 1
        anchors.add(anchor)
    return anchors


if __name__ == "__main__":
    sys.exit(main())
