"""Part of a word, as people type it, in any of several columns."""

from typing import Any

import sqlalchemy as sa


def contains(text: str, *columns: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Return the condition that one of the columns has `text` in it, capitals or not."""
    return sa.or_(*(column.icontains(text, autoescape=True) for column in columns))
