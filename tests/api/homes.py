"""Two homes with real tariffs, set up and spoken for through the doors alone."""

import asyncio
import ssl
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from PIL import Image

from protocol.envelope import (
    ENVELOPE_VERSION,
    Ack,
    Batch,
    Block,
    encode_batch,
    encode_events,
    encode_readings,
)
from protocol.event import Event, EventState, Severity
from protocol.evidence import Evidence
from protocol.fieldbus import cjt188, dlt645
from protocol.fieldbus.bcd import wire_from_decimal
from protocol.fieldbus.cjt188_data import Amount, Status, WaterData, encode_water
from protocol.quantity import micro_from_decimal
from protocol.reading import Reading
from protocol.sync import BATCH_CONTENT_TYPE, BATCH_PATH, Stream
from provisioning.enrolment_token import parse_enrolment_token
from tests.api.conftest import PASSWORD, Cloud
from tests.boxes import LONG_AGO_MS, enrolled

TARIFFS = Path(__file__).resolve().parents[2] / "cloud" / "tariffs"
ELECTRICITY, WATER = "cn-beijing-elec-res", "cn-beijing-water-res"
FLATS = (101, 102)
EPOCH = 1


def exchange(device: str, flat: int, value: Decimal) -> Evidence:
    """Return what went over the wire when a meter said `value`: DL/T 645 for energy, CJ/T 188 for water."""
    if device == "em":
        address = f"202607000{flat}"
        payload = wire_from_decimal(value, 4, 2)
        request = dlt645.encode_frame(dlt645.read_request(address, "00010000"))
        reply = dlt645.encode_frame(dlt645.read_reply(address, "00010000", payload))
        return Evidence("dlt645-2007", "bus-1", request, reply, 0, 48_000)
    asked = cjt188.read_request(0x10, f"20260700000{flat}")
    amounts = Amount(value, "m3"), Amount(Decimal(0), "m3")
    data = encode_water(WaterData(*amounts, clock=None, status=Status(b"\x00\x00")))
    answered = cjt188.reply_to(asked, 0x10, f"20260700000{flat}", data)
    return Evidence("cjt188", "bus-1", cjt188.encode_frame(asked), cjt188.encode_frame(answered), 0, 95_000)


def local_ms(text: str) -> int:
    """Return an instant of the site's own clock, e.g. `2026-10-01 00:00`."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)


def site_document(code: str = "DG", login_prefix: str = "") -> dict[str, Any]:
    """Return the document both homes are set up from."""
    return {
        "format": 1,
        "site": {"code": code, "name": "示范小区", "time_zone": "Asia/Shanghai", "address": "示范路 1 号"},
        "buildings": [
            {
                "code": "1",
                "name": "1 号楼",
                "floors": 6,
                "spaces": [
                    {
                        "code": f"1-{flat}",
                        "unit_code": "1",
                        "floor": 1,
                        "kind": "flat",
                        "built_area_dm2": 8950,
                    }
                    for flat in FLATS
                ],
            }
        ],
        "gateways": [
            {
                "code": "gw-1",
                "name": "1 号楼网关",
                "devices": [
                    *(_device(f"em-{flat}", "active_energy_import") for flat in FLATS),
                    *(_device(f"wm-{flat}", "water_volume") for flat in FLATS),
                    _device("fire-1", "fire_alarm"),
                ],
            }
        ],
        "service_points": [
            {"code": f"{letter}-{flat}", "commodity": commodity, "kind": "flat", "space": f"1-{flat}"}
            for flat in FLATS
            for letter, commodity in (("E", "electricity"), ("W", "water"))
        ],
        "meters": [
            {"serial": f"20260700{number}{flat}", "commodity": commodity, "register_modulus": "1000000"}
            for flat in FLATS
            for number, commodity in ((1, "electricity"), (2, "water"))
        ],
        "installations": [
            {
                "service_point": f"{letter}-{flat}",
                "meter": f"20260700{number}{flat}",
                "point": f"gw-1/{device}-{flat}/{point}",
                "from_at_ms": local_ms("2026-10-01 00:00"),
                "opening_value": "100.00",
            }
            for flat in FLATS
            for letter, number, device, point in (
                ("E", 1, "em", "active_energy_import"),
                ("W", 2, "wm", "water_volume"),
            )
        ],
        "accounts": [
            {
                "number": f"A-00{flat}",
                "holder_name": f"住户 {flat}",
                "space": f"1-{flat}",
                "household_size": 3,
                "opened_on": "2026-10-01",
            }
            for flat in FLATS
        ],
        "supplies": [
            {
                "account": f"A-00{flat}",
                "service_point": f"{letter}-{flat}",
                "tariff": tariff,
                "from_on": "2026-10-01",
            }
            for flat in FLATS
            for letter, tariff in (("E", ELECTRICITY), ("W", WATER))
        ],
        "tariffs": [
            msgspec.json.decode((TARIFFS / f"{name}.json").read_bytes()) for name in (ELECTRICITY, WATER)
        ],
        "equipment": [
            {
                "code": "fire-1",
                "kind": "fire_panel",
                "name": "消防主机",
                "building": "1",
                "device": "gw-1/fire-1",
                "plans": [
                    {
                        "code": "monthly",
                        "title": "月检",
                        "interval_days": 30,
                        "lead_days": 5,
                        "starts_on": "2026-11-20",
                    }
                ],
            }
        ],
        "users": [
            {
                "login": f"{login_prefix}{flat}",
                "password": PASSWORD,
                "display_name": f"住户 {flat}",
                "role": "resident",
                "accounts": [f"A-00{flat}"],
            }
            for flat in FLATS
        ],
    }


def _device(code: str, point: str) -> dict[str, Any]:
    return {"code": code, "title": code, "points": [{"name": point}]}


@dataclass
class Homes:
    """The homes as a manager's program knows them."""

    cloud: Cloud
    token: str
    site_id: str = ""
    gateway_tls: ssl.SSLContext | None = None
    next_seq: dict[Stream, int] = field(default_factory=lambda: dict.fromkeys(Stream, 1))

    async def get(self, path: str, **kwargs: Any) -> Any:
        """Return the JSON of a path that must be there."""
        reply = await self.cloud.call("GET", path, token=self.token, **kwargs)
        assert reply.status == 200, reply.body
        return reply.json

    async def post(self, path: str, json: Any = None, **kwargs: Any) -> Any:
        """Return the JSON of a request that must be taken."""
        reply = await self.cloud.call("POST", path, token=self.token, json=json, **kwargs)
        assert reply.status in (200, 201), reply.body
        return reply.json

    async def send_readings(self, readings: list[Reading]) -> Ack:
        """Speak as the gateway: a batch of one block."""
        return await self._send(Stream.HISTORY, encode_readings(readings), len(readings))

    async def send_events(self, events: list[Event]) -> Ack:
        """Speak as the gateway, on its fast lane."""
        return await self._send(Stream.EVENT, encode_events(events), len(events))

    async def _send(self, stream: Stream, payload: bytes, count: int) -> Ack:
        block = Block(self.next_seq[stream], count, payload)
        self.next_seq[stream] += count
        batch = Batch(ENVELOPE_VERSION, stream.value, EPOCH, "boot", self.cloud.clock.now_ms, [block])
        async with self.cloud.http.post(
            self.cloud.gateways_url + BATCH_PATH.format(stream=stream.value),
            data=encode_batch(batch),
            headers={"Content-Type": BATCH_CONTENT_TYPE},
            ssl=self.gateway_tls or True,
        ) as answer:
            body = await answer.read()
            assert answer.status == 200, body
        ack = msgspec.json.decode(body, type=Ack)
        assert ack.problems == []
        return ack


async def build_homes(cloud: Cloud, token: str, login_prefix: str = "") -> Homes:
    """Set the homes up and let a box enrol as their gateway."""
    homes = Homes(cloud, token)
    homes.site_id = (await homes.post("/api/v1/setup", site_document(login_prefix=login_prefix)))["site_id"]
    [gateway] = (await homes.get(f"/api/v1/gateways?site_id={homes.site_id}"))["items"]
    gateway_id = gateway["gateway_id"]
    offered = parse_enrolment_token((await homes.post(f"/api/v1/gateways/{gateway_id}/enrolment"))["token"])
    tenant_id = offered.gateway.tenant_id
    credential = await asyncio.to_thread(enrolled, cloud.app, gateway_id, tenant_id=tenant_id)
    homes.gateway_tls = credential.tls_context(LONG_AGO_MS)
    return homes


def october_readings() -> list[Reading]:
    """Registers at the end of October: 286.42 and 300.00 kWh, 12.40 and 13.00 m³ more than at its begin."""
    shown = {("em", 101): "386.42", ("wm", 101): "112.40", ("em", 102): "400.00", ("wm", 102): "113.00"}
    points = {"em": "active_energy_import", "wm": "water_volume"}
    return [
        Reading(
            f"{device}-{flat}/{points[device]}",
            local_ms("2026-11-01 00:00"),
            micro_from_decimal(Decimal(value)),
            evidence=exchange(device, flat, Decimal(value)),
        )
        for (device, flat), value in shown.items()
    ]


def fire(state: EventState, at_ms: int) -> Event:
    """The fire panel speaks."""
    return Event("fire_alarm", state, Severity.CRITICAL, "fire-1/fire_alarm", at_ms, "3 层烟感")


def picture() -> bytes:
    """A small photo."""
    written = BytesIO()
    Image.new("RGB", (40, 30), (120, 60, 20)).save(written, "JPEG")
    return written.getvalue()
