"""Item lists of maintenance as they are published: what every list of a company begins as.

The wording is our own and short; the legal text is the annex each list names.
"""

from functools import cache
from importlib import resources

from cloud.domain.checklist import Checklist, checklist_from_json


@cache
def shipped_checklists() -> dict[str, Checklist]:
    """Return the lists that come with the program, by code."""
    folder = resources.files(__name__)
    files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".json"))
    read = [checklist_from_json(folder.joinpath(name).read_bytes()) for name in files]
    return {one.code: one for one in read}
