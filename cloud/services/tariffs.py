"""Tariffs: taken in as documents, put in force by a person, retired, never changed.

The invariant: on any day at most one version of a tariff is in force. A version that was in force
keeps its text for ever, since bills refer to it.
"""

from cloud.domain.access import Action, require
from cloud.domain.errors import Conflict, NotFound
from cloud.domain.tariff_document import parse_document
from cloud.domain.user import User
from cloud.store import audit, tariffs
from cloud.store.db import Tx
from cloud.store.tariffs import StoredTariff, TariffState, TariffSummary
from cloud.tariffs import shipped_documents


def import_document(tx: Tx, actor: User, body: bytes, *, activate: bool = False) -> list[StoredTariff]:
    """Take in the versions of a tariff file as drafts; again, it changes nothing.

    Invalid lists everything wrong with the document. A draft is replaced by what is imported under
    its number; Conflict where a version in force has another text. With `activate` they are put in
    force at once, for whoever sets up a site.
    """
    require(actor, Action.MANAGE_TARIFFS)
    taken = []
    for version in parse_document(body):
        parsed = version.tariff
        known = tariffs.find_version(tx, parsed.code, parsed.version)
        if known is not None and known.version.tariff != parsed:
            if known.state is not TariffState.DRAFT:
                raise Conflict(
                    f"tariff {parsed.code!r} version {parsed.version} is {known.state.value} with another "
                    "text; a change is a new version"
                )
            tariffs.delete_draft(tx, known.tariff_id)
            known = None
        if known is None:
            tariff_id = tariffs.insert_version(tx, version)
            audit.record(tx, actor.user_id, "import_tariff", "tariff", tariff_id, {"code": parsed.code})
        if activate:
            _put_in_force(tx, actor, _found(tx, parsed.code, parsed.version))
        taken.append(_found(tx, parsed.code, parsed.version))
    return taken


def activate(tx: Tx, actor: User, code: str, version: int) -> StoredTariff:
    """Put a draft in force from its first day; one already in force stays so.

    An earlier version without an end ends that day. Conflict where another version's days overlap.
    """
    require(actor, Action.MANAGE_TARIFFS)
    _put_in_force(tx, actor, _found(tx, code, version))
    return _found(tx, code, version)


def retire(tx: Tx, actor: User, code: str, version: int) -> StoredTariff:
    """Take a version out of use for new bills; bills already issued still refer to it."""
    require(actor, Action.MANAGE_TARIFFS)
    found = _found(tx, code, version)
    if found.state is TariffState.DRAFT:
        raise Conflict(f"tariff {code!r} version {version} is a draft; it was never in force")
    tariffs.set_state(tx, found.tariff_id, TariffState.RETIRED)
    audit.record(tx, actor.user_id, "retire_tariff", "tariff", found.tariff_id, {"code": code})
    return _found(tx, code, version)


def list_tariffs(tx: Tx, actor: User) -> list[TariffSummary]:
    """Return every version of every tariff, by commodity, code and version."""
    require(actor, Action.READ_TARIFFS)
    return tariffs.list_summaries(tx)


def get_tariff(tx: Tx, actor: User, code: str, version: int) -> StoredTariff:
    """Return one version with its document, sources and rules."""
    require(actor, Action.READ_TARIFFS)
    return _found(tx, code, version)


def _put_in_force(tx: Tx, actor: User, found: StoredTariff) -> None:
    if found.state is TariffState.ACTIVE:
        return
    own = found.tariff
    for other in tariffs.versions_of(tx, own.code):
        theirs = other.tariff
        if other.state is not TariffState.ACTIVE or other.tariff_id == found.tariff_id:
            continue
        if theirs.valid_to is None and theirs.valid_from < own.valid_from:
            tariffs.set_valid_to(tx, other.tariff_id, own.valid_from)
            continue
        is_before = theirs.valid_to is not None and theirs.valid_to <= own.valid_from
        is_after = own.valid_to is not None and own.valid_to <= theirs.valid_from
        if not (is_before or is_after):
            raise Conflict(
                f"tariff {own.code!r}: version {own.version} (from {own.valid_from}) overlaps version "
                f"{theirs.version} ({theirs.valid_from} to {theirs.valid_to or 'open'}), which is in force"
            )
    tariffs.set_state(tx, found.tariff_id, TariffState.ACTIVE)
    detail: dict[str, str | int | None] = {"code": own.code, "version": own.version}
    audit.record(tx, actor.user_id, "activate_tariff", "tariff", found.tariff_id, detail)


def _found(tx: Tx, code: str, version: int) -> StoredTariff:
    found = tariffs.find_version(tx, code, version)
    if found is None:
        raise NotFound(f"there is no tariff {code!r} version {version}")
    return found


def import_shipped(tx: Tx, actor: User, code: str, *, activate: bool = False) -> list[StoredTariff]:
    """Take in the tariff of that code from the library that ships with the program."""
    require(actor, Action.MANAGE_TARIFFS)
    for name, body in shipped_documents():
        if name == f"{code}.json":
            return import_document(tx, actor, body, activate=activate)
    raise NotFound(f"no tariff {code!r} ships with the program; import its document")
