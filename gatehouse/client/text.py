"""Words of a document as they stand in code: a module's head, a docstring that cannot end early."""

import textwrap

MARK = "Written by `gatehouse client generate`"
_WIDTH = 110


def header(summary: str, version: str) -> str:
    """Return the docstring of a written module."""
    return docstring(f"{summary}\n\n{MARK} for Gatehouse {version}; write it again rather than change it.", 0)


def docstring(words: str, indent: int) -> str:
    """Return `words` as a docstring, folded; backslashes and quotes cannot leave it."""
    safe = words.strip().replace("\\", "\\\\").replace('"""', "'''")
    safe = safe.removesuffix('"') + ("'" if safe.endswith('"') else "")
    space = " " * indent
    paragraphs = [" ".join(paragraph.split()) for paragraph in safe.split("\n\n")]
    folded = [
        textwrap.fill(paragraph, _WIDTH - 6, initial_indent=space, subsequent_indent=space)
        for paragraph in paragraphs
    ]
    body = "\n\n".join(folded).lstrip()
    end = f"\n{space}" if "\n" in body else ""
    return f'{space}"""{body}{end}"""\n'
