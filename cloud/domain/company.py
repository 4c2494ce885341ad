"""A company: whose property, people and books are one tenant's and meet no other's."""

import re
from dataclasses import dataclass

from cloud.domain.errors import Invalid
from cloud.domain.ids import TenantId

NAME_LENGTH_MAX = 100
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,29}")


@dataclass(frozen=True, slots=True)
class Company:
    """One company; its code is what people and programs name it by when they sign in."""

    tenant_id: TenantId
    code: str
    name: str
    created_at_ms: int


def checked_code(code: str) -> str:
    """Return a company's code if it may be one."""
    if not _CODE.fullmatch(code):
        raise Invalid(f"the code {code!r} is not 1 to 30 small letters, digits and hyphens")
    return code


def checked_name(name: str) -> str:
    """Return a company's name if it may be one."""
    told = name.strip()
    if not 1 <= len(told) <= NAME_LENGTH_MAX:
        raise Invalid(f"a company's name has 1 to {NAME_LENGTH_MAX} characters, not {len(told)}")
    return told
