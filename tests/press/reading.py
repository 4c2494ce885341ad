"""Reading a PDF as a person would: the text of its pages, in order."""

import pypdfium2


def text_of(pdf: bytes) -> str:
    """Return all text of a PDF, its lines joined by spaces."""
    document = pypdfium2.PdfDocument(pdf)
    pages = [page.get_textpage().get_text_bounded() for page in document]
    return " ".join(" ".join(pages).split())


def pages_of(pdf: bytes) -> int:
    """Return how many pages a PDF has."""
    return len(pypdfium2.PdfDocument(pdf))
