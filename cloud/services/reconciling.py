"""Reconciling what was brought over from a system before with what that system said it had."""

from collections.abc import Mapping

from cloud.domain.access import Action, require
from cloud.domain.ids import SiteId
from cloud.domain.reconciling import Figure, Reconciled
from cloud.domain.user import User
from cloud.services.premises import site_of
from cloud.store import audit, reconciling
from cloud.store.db import Tx


def reconcile(tx: Tx, actor: User, site_id: SiteId) -> list[Reconciled]:
    """Return every figure of a site beside what the system before had, in the order of bringing over."""
    require(actor, Action.READ_LEDGER)
    site_of(tx, site_id)
    here, said = reconciling.measure(tx, site_id), reconciling.said_figures(tx, site_id)
    return [Reconciled(figure, here[figure], said.get(figure)) for figure in Figure]


def note_former(tx: Tx, actor: User, site_id: SiteId, said: Mapping[Figure, int]) -> list[Reconciled]:
    """Note what the system before had, in place of what was noted; return the comparison."""
    require(actor, Action.MANAGE_PREMISES)
    site_of(tx, site_id)
    reconciling.replace_said(tx, site_id, said, actor.person_id)
    detail = {figure.value: value for figure, value in said.items()}
    audit.record(tx, actor.user_id, "note_former_figures", "site", site_id, detail)
    return reconcile(tx, actor, site_id)
