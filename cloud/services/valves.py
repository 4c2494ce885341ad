"""A closed valve: which homes are behind it, and whether they have been told.

The invariant: nothing is guessed. Homes are behind a valve because it is a home's own meter, or because
the register of equipment says where it stands: at a flat for that flat's riser, at a common part for
its unit, else for the building.
"""

from dataclasses import dataclass

from cloud.domain.access import Action, require
from cloud.domain.announcement import Announcement, Audience, in_natural_order, riser_of
from cloud.domain.equipment import Equipment
from cloud.domain.ids import GatewayId, SiteId
from cloud.domain.premises import SpaceKind
from cloud.domain.user import User
from cloud.services.announcements import homes_reached
from cloud.store import announcements, equipment, meters, premises
from cloud.store.db import Tx

# Whoever announces does so within minutes; more were written since then on no day.
_LOOKED_THROUGH = 20


@dataclass(frozen=True, slots=True)
class Behind:
    """The homes behind a valve, in the order people count them; `audience` is None for one home alone.

    `told` is what that audience has been told since. No homes: nobody has said where the valve stands.
    """

    codes: tuple[str, ...] = ()
    audience: Audience | None = None
    told: Announcement | None = None


def behind_valve(
    tx: Tx, actor: User, site_id: SiteId, gateway_id: GatewayId, device_code: str, since_ms: int
) -> Behind:
    """Return which homes a device's valve serves, and what they were told since an instant."""
    require(actor, Action.READ_COMMANDS)
    own = premises.find_spaces(tx, meters.spaces_of_device(tx, gateway_id, device_code))
    if own:
        return Behind(tuple(in_natural_order(space.code for space in own.values())))
    registered = equipment.find_by_device(tx, gateway_id, device_code)
    audience = None if registered is None or registered.retired_on else _audience(tx, registered)
    if audience is None:
        return Behind()
    homes = homes_reached(tx, site_id, audience)
    lately = announcements.list_announcements(tx, site_id, None, _LOOKED_THROUGH)
    told = next((one for one in lately if _tells(one, audience, since_ms)), None)
    return Behind(tuple(in_natural_order(home.code for home in homes)), audience, told)


def _audience(tx: Tx, registered: Equipment) -> Audience | None:
    space = None if registered.space_id is None else premises.find_space(tx, registered.space_id)
    if space is None:
        return (
            None
            if registered.building_id is None
            else Audience(building_ids=frozenset({registered.building_id}))
        )
    riser = riser_of(space.code, space.floor) if space.kind is SpaceKind.FLAT else ""
    return Audience(building_ids=frozenset({space.building_id}), unit_code=space.unit_code, riser=riser)


def _tells(one: Announcement, audience: Audience, since_ms: int) -> bool:
    return one.audience == audience and one.published_at_ms >= since_ms and one.withdrawn_at_ms is None
