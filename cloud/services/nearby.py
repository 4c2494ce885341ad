"""The directory of what is near a site: the office keeps it, residents look in it."""

from cloud.domain.access import Action, may, require
from cloud.domain.errors import Conflict, NotFound
from cloud.domain.ids import NearbyServiceId, SiteId
from cloud.domain.nearby import NearbyCategory, NearbySaid, NearbyService
from cloud.domain.user import User
from cloud.services.premises import site_of
from cloud.store import audit, nearby
from cloud.store.db import Tx

SERVICES_MAX = 200


def add_service(tx: Tx, actor: User, site_id: SiteId, said: NearbySaid) -> NearbyService:
    """Add a service to a site's directory."""
    require(actor, Action.MANAGE_COMMUNITY)
    site_of(tx, site_id)
    if len(nearby.list_services(tx, site_id)) >= SERVICES_MAX:
        raise Conflict(f"there are {SERVICES_MAX} nearby services already: remove one nobody needs")
    added = NearbyService(NearbyServiceId(tx.new_id()), site_id, said)
    nearby.insert_service(tx, added)
    _record(tx, actor, "add_nearby_service", added)
    return added


def change_service(tx: Tx, actor: User, service_id: NearbyServiceId, said: NearbySaid) -> NearbyService:
    """Say anew what a service is, and where."""
    require(actor, Action.MANAGE_COMMUNITY)
    changed = NearbyService(service_id, _found(tx, service_id).site_id, said)
    nearby.update_service(tx, service_id, said)
    _record(tx, actor, "change_nearby_service", changed)
    return changed


def remove_service(tx: Tx, actor: User, service_id: NearbyServiceId) -> None:
    """Take a service out of the directory."""
    require(actor, Action.MANAGE_COMMUNITY)
    found = _found(tx, service_id)
    nearby.delete_service(tx, service_id)
    _record(tx, actor, "remove_nearby_service", found)


def list_services(tx: Tx, actor: User, site_id: SiteId) -> list[NearbyService]:
    """Return a site's directory by category, position and name."""
    require(actor, Action.READ_COMMUNITY if may(actor, Action.READ_COMMUNITY) else Action.USE_COMMUNITY)
    site_of(tx, site_id)
    order = list(NearbyCategory)
    return sorted(nearby.list_services(tx, site_id), key=lambda one: order.index(one.said.category))


def _record(tx: Tx, actor: User, act: str, service: NearbyService) -> None:
    details = {"name": service.said.name, "phone": service.said.phone}
    audit.record(tx, actor.user_id, act, "nearby_service", service.service_id, details)


def _found(tx: Tx, service_id: NearbyServiceId) -> NearbyService:
    found = nearby.find_service(tx, service_id)
    if found is None:
        raise NotFound(f"there is no nearby service {service_id}")
    return found
