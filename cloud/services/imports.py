"""Tables in and out: checked, carried out, undone; templates, what there is, rows that were refused.

The invariant: checking writes nothing but the uploaded file; what is carried out is exactly what was
checked, or nothing (Conflict); undoing removes what was made and puts back what was changed, or nothing.
The same table again changes nothing.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from cloud.domain.access import Action, may, require
from cloud.domain.errors import Conflict, NotFound
from cloud.domain.ids import ImportId, SiteId
from cloud.domain.imports.cell import Value
from cloud.domain.imports.kind import Key, Kind, Role, Values, value_to_json
from cloud.domain.imports.plan import Outcome, Plan, PlannedRow, plan_of
from cloud.domain.imports.run import ChangedThing, Effect, ImportRun, ImportState
from cloud.domain.premises import Site
from cloud.domain.user import User
from cloud.services.importers import IMPORTERS, IN_ORDER
from cloud.services.importers.importer import Importer
from cloud.services.premises import site_of
from cloud.store import audit, bulk, imports
from cloud.store.db import Tx
from cloud.workbook.reading import read_table

_RUNS_SHOWN = 50
_NAME_LENGTH_MAX = 200
# An uploaded file holds names and is needed no longer than its import can be undone.
BODY_KEPT_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class CheckedImport:
    """An import with its plan as of now; none once the file is kept no longer."""

    run: ImportRun
    plan: Plan | None


def list_kinds(actor: User) -> list[Kind]:
    """Return the tables the actor may bring in, each after those it refers to."""
    require(actor, Action.IMPORT_TABLES)
    return [IMPORTERS[code].kind for code in IN_ORDER if may(actor, IMPORTERS[code].action)]


def kind_of(actor: User, kind_code: str) -> Kind:
    """Return a kind of table the actor may bring in."""
    return _importer(actor, kind_code).kind


def check(tx: Tx, actor: User, site_id: SiteId, kind_code: str, name: str, data: bytes) -> CheckedImport:
    """Judge every row of a table against what is there; Invalid where it is no such table at all."""
    importer = _importer(actor, kind_code)
    site = site_of(tx, site_id)
    plan = _plan(tx, importer, site, data, name)
    digest = hashlib.sha256(data).hexdigest()
    file_name = name.strip()[:_NAME_LENGTH_MAX] or kind_code
    import_id = imports.insert_run(
        tx, site_id, kind_code, file_name, digest, data, plan.counts, actor.person_id
    )
    return CheckedImport(_run(tx, import_id), plan)


def get_import(tx: Tx, actor: User, import_id: ImportId) -> CheckedImport:
    """Return an import; while its file is kept, with what every row would do now."""
    require(actor, Action.IMPORT_TABLES)
    run = _run(tx, import_id)
    importer = _importer(actor, run.kind)
    data = imports.body_of(tx, import_id)
    if data is None:
        return CheckedImport(run, None)
    return CheckedImport(run, _plan(tx, importer, site_of(tx, run.site_id), data, run.file_name))


def list_imports(tx: Tx, actor: User, site_id: SiteId) -> list[ImportRun]:
    """Return a site's imports, newest first."""
    require(actor, Action.IMPORT_TABLES)
    site_of(tx, site_id)
    return imports.list_runs(tx, site_id, _RUNS_SHOWN)


def carry_out(tx: Tx, actor: User, import_id: ImportId, digest: str | None = None) -> CheckedImport:
    """Do what the new and changed rows say; the others stay out.

    `digest` names the plan that was looked at: Conflict where the table would do something else by now.
    """
    require(actor, Action.IMPORT_TABLES)
    run = imports.lock_run(tx, import_id)
    if run is None:
        raise NotFound(f"there is no import {import_id}")
    importer = _importer(actor, run.kind)
    data = imports.body_of(tx, import_id)
    if run.state is not ImportState.CHECKED or data is None:
        raise Conflict(f"the import of {run.file_name} is {run.state.value}: upload the table again")
    site = site_of(tx, run.site_id)
    plan = _plan(tx, importer, site, data, run.file_name)
    if digest is not None and digest != plan.digest:
        raise Conflict(
            "what is there changed since the table was checked: look at it again, then decide anew"
        )
    effect = _write(tx, actor, importer, site, plan)
    imports.finish_run(tx, import_id, effect, plan.counts)
    detail: dict[str, str | int | None] = {
        "kind": run.kind,
        "new": plan.counts[Outcome.NEW],
        "changed": plan.counts[Outcome.CHANGED],
    }
    audit.record(tx, actor.user_id, "import_table", "import", import_id, detail)
    return CheckedImport(_run(tx, import_id), plan)


def undo(tx: Tx, actor: User, import_id: ImportId) -> ImportRun:
    """Remove what an import made and put back what it changed; Conflict where something builds on it."""
    require(actor, Action.IMPORT_TABLES)
    run = imports.lock_run(tx, import_id)
    if run is None:
        raise NotFound(f"there is no import {import_id}")
    importer = _importer(actor, run.kind)
    if not run.can_undo(tx.now_ms):
        raise Conflict(f"the import of {run.file_name} can be undone for a day after it was carried out")
    site = site_of(tx, run.site_id)
    effect = imports.effect_of(tx, import_id)
    _put_back(tx, actor, importer, site, effect.changed)
    if importer.take_back is not None:
        importer.take_back(tx, actor, site, effect.made, f"import of {run.file_name} undone")
    bulk.remove(tx, effect.made)
    imports.undo_run(tx, import_id)
    audit.record(tx, actor.user_id, "undo_import", "import", import_id, {"kind": run.kind})
    return _run(tx, import_id)


def present_rows(tx: Tx, actor: User, site_id: SiteId, kind_code: str) -> tuple[Kind, list[Values]]:
    """Return what is there as a kind's table has it, ready to be filled in and brought back."""
    importer = _importer(actor, kind_code)
    present = importer.look(tx, site_of(tx, site_id)).present
    return importer.kind, [present[key] for key in sorted(present, key=_sortable)]


def forget_files(tx: Tx) -> int:
    """Drop the uploaded files whose time is over; return how many."""
    return imports.forget_bodies(tx, tx.now_ms - BODY_KEPT_MS)


def _importer(actor: User, kind_code: str) -> Importer:
    require(actor, Action.IMPORT_TABLES)
    found = IMPORTERS.get(kind_code)
    if found is None:
        raise NotFound(f"there is no table {kind_code!r}; there are {', '.join(IMPORTERS)}")
    require(actor, found.action)
    return found


def _plan(tx: Tx, importer: Importer, site: Site, data: bytes, name: str) -> Plan:
    look = importer.look(tx, site)
    return plan_of(importer.kind, read_table(data, name), look.present, look.check)


def _write(tx: Tx, actor: User, importer: Importer, site: Site, plan: Plan) -> Effect:
    added, changed = plan.of(Outcome.NEW), plan.of(Outcome.CHANGED)
    if importer.change is None:
        return Effect(
            {noun: tuple(ids) for noun, ids in importer.add(tx, actor, site, added + changed).items()}
        )
    made = importer.add(tx, actor, site, added) if added else {}
    kind = importer.kind
    if changed:
        after = {kind.key_of(row.values): _only(row, row.values) for row in changed}
        importer.change(tx, actor, site, after)
    return Effect(
        {noun: tuple(ids) for noun, ids in made.items()},
        tuple(
            ChangedThing(
                tuple(value_to_json(value) for value in kind.key_of(row.values)),
                _to_json(row.before),
                _to_json(_only(row, row.values)),
            )
            for row in changed
        ),
    )


def _only(row: PlannedRow, values: Values) -> Values:
    """Return the columns a row changes."""
    return {key: values[key] for key in row.before}


def _put_back(tx: Tx, actor: User, importer: Importer, site: Site, changed: Sequence[ChangedThing]) -> None:
    if not changed or importer.change is None:
        return
    kind = importer.kind
    present = importer.look(tx, site).present
    back: dict[Key, Values] = {}
    for one in changed:
        key = _key_from_json(kind, one.key)
        there = present.get(key)
        now = {} if there is None else _to_json({name: there[name] for name in one.after})
        if now != dict(one.after):
            raise Conflict(f"{' '.join(map(str, one.key))} was changed since the import: it cannot be undone")
        back[key] = {name: _from_json(present[key][name], was) for name, was in one.before.items()}
    importer.change(tx, actor, site, back)


def _key_from_json(kind: Kind, said: Sequence[str | int | None]) -> Key:
    columns = [column for column in kind.columns if column.role is Role.KEY]
    return tuple(column.read(one) for column, one in zip(columns, said, strict=True))


def _to_json(values: Values) -> dict[str, str | int | None]:
    return {key: value_to_json(value) for key, value in values.items()}


def _from_json(like: Value, said: str | int | None) -> Value:
    """Return a value of the kind that is there now, from what was kept of it."""
    if said is None:
        return None
    if isinstance(like, Decimal):
        return Decimal(str(said))
    return date.fromisoformat(str(said)) if isinstance(like, date) else said


def _run(tx: Tx, import_id: ImportId) -> ImportRun:
    found = imports.find_run(tx, import_id)
    if found is None:
        raise NotFound(f"there is no import {import_id}")
    return found


def _sortable(key: Key) -> tuple[str, ...]:
    return tuple(str(value_to_json(part)) for part in key)
