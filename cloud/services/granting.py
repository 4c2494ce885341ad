"""Making grants of who may pass: one set for each gateway, newer whenever anything about it changes.

The invariants: a change is counted in the transaction that makes it, so no gateway keeps grants of before
once it has greeted; a gateway gets the doors and badges of its own entrances and nothing else; and a cloud
restored from a backup counts on from what the gateway has.
"""

import secrets
from collections.abc import Mapping, Sequence

from cloud.domain.entry import (
    GRANTS_LIFE_MS,
    GRANTS_RENEWED_MS,
    AccessGroup,
    Badge,
    BadgeState,
    Covers,
    Entrance,
)
from cloud.domain.gateway import GatewayIdentity
from cloud.domain.ids import BuildingId, EntranceId, SiteId
from cloud.domain.visit import EARLY_MS
from cloud.services.premises import site_of
from cloud.store import badges, barrings, entrances, premises, visits
from cloud.store.db import Tx
from protocol.access import KEY_BYTES, BadgeKind, GrantQuestion, Window, badge_token
from protocol.greeting import Hello
from provisioning.grants import GRANTS_VERSION, Grant, GrantedDoor, GrantSet, Permission

_ALL_HOURS = -1


def changed(tx: Tx, site_id: SiteId) -> None:
    """Count a change of who may pass; nothing at a site without entrances, where nobody is told."""
    if entrances.revision(tx, site_id) or entrances.entrances_of_site(tx, site_id):
        entrances.change(tx, site_id, secrets.token_bytes(KEY_BYTES))


def token_key(tx: Tx, site_id: SiteId) -> bytes:
    """Return the key of a site's tokens, made at the first asking."""
    key = entrances.token_key(tx, site_id)
    if key:
        return key
    entrances.change(tx, site_id, secrets.token_bytes(KEY_BYTES))
    return entrances.token_key(tx, site_id)


def greeted(tx: Tx, gateway: GatewayIdentity, said: Hello) -> bool:
    """Tell whether newer grants than it has wait for a gateway."""
    if said.grants is None:
        return False  # it decides at no door
    number, issued_at_ms = said.grants
    revision = entrances.revision(tx, gateway.site_id)
    if revision == 0 or (number == 0 and not entrances.entrances_of_gateway(tx, gateway.gateway_id)):
        return False
    if number > revision:
        entrances.change(tx, gateway.site_id, secrets.token_bytes(KEY_BYTES), at_least=number + 1)
        return True
    return number < revision or tx.now_ms - issued_at_ms >= GRANTS_RENEWED_MS


def offered(tx: Tx, gateway: GatewayIdentity, has: GrantQuestion) -> GrantSet | None:
    """Return the grants of a gateway as they are now; None where they would not be newer than what it has."""
    number = entrances.revision(tx, gateway.site_id)
    if number == 0 or (number, tx.now_ms) <= (has.number, has.issued_at_ms):
        return None
    own = entrances.entrances_of_gateway(tx, gateway.gateway_id)
    rules = _Rules(own, entrances.groups_of_site(tx, gateway.site_id))
    key = entrances.token_key(tx, gateway.site_id)
    grants = [
        Grant(
            one.token,
            one.badge_id,
            one.kind,
            permissions,
            one.from_ms or 0,
            one.until_ms or 0,
            is_once=False,
            is_blocked=one.state is BadgeState.LOST,
        )
        for one in badges.badges_of_site(tx, gateway.site_id)
        if (permissions := rules.of_badge(one))
    ]
    return GrantSet(
        GRANTS_VERSION,
        gateway.gateway_id,
        number,
        tx.now_ms,
        tx.now_ms + GRANTS_LIFE_MS,
        site_of(tx, gateway.site_id).time_zone,
        key,
        [GrantedDoor(one.device_code, list(one.readers)) for one in own],
        rules.times,
        grants + _of_visits(tx, gateway.site_id, key, rules),
    )


def _of_visits(tx: Tx, site_id: SiteId, key: bytes, rules: "_Rules") -> list[Grant]:
    """Return what visitors' codes open: once, the doors their hosts pass, in the time of the visit."""
    found: list[Grant] = []
    expected = visits.visits_to_come(tx, site_id, tx.now_ms + GRANTS_LIFE_MS)
    barred = {one.visit_id for one in barrings.barred_visits(tx, [one.visit_id for one in expected])}
    for one in expected:
        place = None if one.space_id is None else premises.find_space(tx, one.space_id)
        permissions = rules.of_residents(None if place is None else place.building_id)
        if permissions:
            token = badge_token(key, BadgeKind.CODE, one.code)
            begin_ms = one.from_ms - EARLY_MS
            found.append(
                Grant(
                    token,
                    one.visit_id,
                    BadgeKind.CODE,
                    permissions,
                    begin_ms,
                    one.until_ms,
                    is_once=True,
                    is_blocked=one.visit_id in barred,
                )
            )
    return found


class _Rules:
    """The groups of a site as they concern the doors of one gateway."""

    def __init__(self, own: Sequence[Entrance], groups: Sequence[AccessGroup]) -> None:
        self.times: list[list[Window]] = []
        doors: Mapping[EntranceId, int] = {one.entrance_id: place for place, one in enumerate(own)}
        self._of_group = {
            group.group_id: [
                Permission(doors[one], self._hours(group.windows))
                for one in group.entrance_ids
                if one in doors
            ]
            for group in groups
        }
        self._residents = [group for group in groups if group.covers is Covers.RESIDENTS]

    def of_badge(self, one: Badge) -> list[Permission]:
        """Return what a badge opens: as a resident's, and by the groups it was put into."""
        found = [] if one.account_id is None else self.of_residents(one.building_id)
        for group_id in one.group_ids:
            found += self._of_group.get(group_id, [])
        return found

    def of_residents(self, building_id: BuildingId | None) -> list[Permission]:
        """Return what everybody opens who lives in a building."""
        return [
            permission
            for group in self._residents
            if group.building_id is None or group.building_id == building_id
            for permission in self._of_group[group.group_id]
        ]

    def _hours(self, windows: Sequence[Window]) -> int:
        if not windows:
            return _ALL_HOURS
        if list(windows) not in self.times:
            self.times.append(list(windows))
        return self.times.index(list(windows))
