"""Badges over the API and what a box then fetches: signed, and refusing a card that was reported lost."""

import asyncio
import ssl

import msgspec

from edge.access import Judge, Moment
from edge.configurator import trust_of
from protocol.access import GRANTS_PATH, AccessReason, BadgeKind, GrantQuestion
from provisioning.grants import opened_grants
from provisioning.identity import Credential
from tests.api.conftest import Cloud
from tests.boxes import LONG_AGO_MS, enrolled
from tests.cloud.test_entry import CARD, Doors


async def decided(cloud: Cloud, box: Credential, tls: ssl.SSLContext) -> AccessReason:
    """Return what a box that fetches its grants now, and then has no cloud, says to the card."""
    question = msgspec.json.encode(GrantQuestion(0, 0))
    headers = {"Content-Type": "application/json"}
    address = cloud.gateways_url + GRANTS_PATH
    async with cloud.http.post(address, data=question, headers=headers, ssl=tls) as answer:
        sealed = await answer.read()
    trust = trust_of(box)
    assert trust is not None
    judge = Judge(lambda badge_id: False)
    judge.take(opened_grants(sealed, trust.public_key, trust.gateway_id))
    return judge.judge("door-1", BadgeKind.CARD, CARD.lstrip("0"), Moment(cloud.clock.now_ms, 0, True)).reason


async def test_a_card_reported_lost_is_blocked_in_the_signed_grants_until_the_office_has_it_back(
    cloud: Cloud,
) -> None:
    doors = await asyncio.to_thread(Doors, cloud.database, cloud.clock)  # type: ignore[arg-type]
    box = await asyncio.to_thread(enrolled, cloud.app, doors.gateway.gateway_id, cloud.gateways_url)
    tls = box.tls_context(LONG_AGO_MS)
    office, home = await cloud.token_of(doors.manager), await cloud.token_of(doors.host)
    card = {"kind": "card", "label": "王建国", "secret": CARD, "account_id": doors.home}
    given = await cloud.call("POST", f"/api/v1/sites/{doors.site_id}/badges", token=office, json=card)
    loss = f"/api/v1/badges/{given.json['badge_id']}/loss"

    said = [await decided(cloud, box, tls)]
    reported = await cloud.call("POST", loss, token=home)
    said.append(await decided(cloud, box, tls))
    by_the_holder = await cloud.call("DELETE", loss, token=home)
    by_the_office = await cloud.call("DELETE", loss, token=office)
    said.append(await decided(cloud, box, tls))

    assert said == [AccessReason.GRANTED, AccessReason.BLOCKED, AccessReason.GRANTED]
    assert CARD not in (given.body + reported.body).decode()
    assert (reported.status, by_the_holder.status, by_the_office.status) == (200, 403, 200)
