"""Tasmota, Shelly, JSON and Sparkplug devices: what they say, through a real broker where that matters."""

import asyncio
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import aiomqtt
import pytest

from edge.actuators.mqtt_plug import MqttPlug
from edge.driver import EvidenceKeeper
from edge.drivers.mqtt_topics import TopicDevice
from edge.drivers.mqtt_values import Told
from edge.drivers.sparkplug import SparkplugNode, sparkplug_nodes
from edge.listener import MqttListener
from protocol.command import Action
from protocol.errors import FrameError
from protocol.fieldbus.sparkplug_b import Metric, Payload, decode_payload, encode_payload
from protocol.quantity import MICRO
from protocol.reading import Quality
from provisioning.config import DeviceConfig
from provisioning.lines import LineId, MqttLine
from provisioning.profiles import load_profile
from tests.edge.building_blocks import MIDNIGHT_MS, ToldClock, device_of, rng
from tests.edge.test_mqtt import Hold, broker, free_port, listening, until

EVIDENCE = EvidenceKeeper(ZoneInfo("UTC"))
PLUG = device_of(load_profile("shelly_plug"), "hall/plug", "plug-1")
TASMOTA = device_of(load_profile("tasmota_energy_meter"), "pump", "pump-1")
JSON = device_of(load_profile("json_meter"), "site/meter-7", "meter-7")
METER = device_of(load_profile("sparkplug_meter"), "Building/gw1/meter01", "spark-1")


def tell(device: object, topic: str, payload: str, *, is_retained: bool = False) -> Told:
    speaker = TopicDevice(device, EvidenceKeeper(ZoneInfo("UTC")))  # type: ignore[arg-type]
    return speaker.tell(topic, payload.encode(), is_retained=is_retained, line="mqtt", clock=ToldClock())


def values(told: Told) -> dict[str, int | None]:
    return {reading.point_key.partition("/")[2]: reading.value_micro for reading in told.readings}


def test_a_change_tells_only_what_changed() -> None:
    change = '{"method":"NotifyStatus","params":{"ts":1.5,"switch:0":{"id":0,"apower":12.5},"sys":{"x":1}}}'

    assert values(tell(PLUG, "hall/plug/events/rpc", change)) == {"active_power": 12_500}


def test_a_whole_status_and_a_change_of_two_components_are_told_alike() -> None:
    whole = tell(PLUG, "hall/plug/status/switch:0", '{"output":false,"aenergy":{"total":1500.5}}')
    change = tell(
        PLUG,
        "hall/plug/events/rpc",
        '{"method":"NotifyStatus","params":{"switch:0":{"output":true},"switch:1":{"output":false}}}',
    )

    assert values(whole) == {"active_energy_import": 1_500_500, "relay_state": 0}
    assert values(change) == {"relay_state": MICRO}
    assert whole.readings[0].evidence is not None
    assert whole.readings[0].evidence.protocol == "mqtt-shelly"


@pytest.mark.parametrize("method", ["NotifyEvent", "SomethingElse"])
def test_what_is_no_status_tells_nothing(method: str) -> None:
    assert tell(PLUG, "hall/plug/events/rpc", json.dumps({"method": method, "params": {}})) == Told()


def test_what_the_broker_kept_is_suspect_but_a_last_will_is_the_present() -> None:
    kept = tell(PLUG, "hall/plug/status/switch:0", '{"output":true}', is_retained=True)
    will = tell(TASMOTA, "tele/pump/LWT", "Offline", is_retained=True)

    assert [(r.quality, r.value_micro) for r in kept.readings] == [(Quality.SUSPECT, MICRO)]
    assert [(r.quality, r.value_micro) for r in will.readings] == [(Quality.GOOD, 0)]


def test_a_null_is_absent_and_text_where_a_number_belongs_is_bad() -> None:
    told = tell(JSON, "site/meter-7", '{"battery":null,"power_kw":"much"}')

    assert [(r.point_key, r.quality) for r in told.readings] == [
        ("meter-7/active_power", Quality.BAD_FRAME),
        ("meter-7/battery_level", Quality.ABSENT),
    ]


def test_a_path_goes_through_lists_and_ends_where_nothing_is() -> None:
    assert values(tell(JSON, "site/meter-7", '{"sensors":[{"celsius":21.5}],"energy":7}')) == {
        "temperature": 21_500_000
    }
    assert tell(JSON, "site/meter-7", '{"sensors":[]}') == Told()


@pytest.mark.parametrize("payload", ["", "{", "NaN", '{"power_kw":1e999}'])
def test_what_is_no_json_is_refused(payload: str) -> None:
    with pytest.raises(FrameError):
        tell(JSON, "site/meter-7", payload)


ENERGY, POWER = "Active Energy", "Active Power"
BDSEQ = Metric("bdSeq", data_type=4, value=0)


def number(value: object, name: str | None = None, alias: int | None = None, **more: object) -> Metric:
    return Metric(name, alias, data_type=10, value=value, **more)  # type: ignore[arg-type]


def payload(seq: int | None, *metrics: Metric) -> bytes:
    return encode_payload(Payload(MIDNIGHT_MS, metrics, seq))


class Spark:
    """A node told message by message."""

    def __init__(self) -> None:
        self.clock = ToldClock()
        (self.node,) = sparkplug_nodes([METER], EVIDENCE)

    def tell(self, kind: str, data: bytes, *, is_retained: bool = False) -> Told:
        member = "/meter01" if kind.startswith("D") else ""
        topic = f"spBv1.0/Building/{kind}/gw1{member}"
        return self.node.tell(topic, data, is_retained=is_retained, line="mqtt", clock=self.clock)

    def born(self) -> None:
        self.tell("NBIRTH", payload(0, BDSEQ))
        self.tell("DBIRTH", payload(1, number(Decimal("10.5"), ENERGY, 1), number(Decimal(2), POWER, 2)))


def asked_for_rebirth(told: Told) -> bool:
    if not told.publish:
        return False
    ((topic, data),) = told.publish
    (metric,) = decode_payload(data).metrics
    return (topic, metric.name, metric.value) == ("spBv1.0/Building/NCMD/gw1", "Node Control/Rebirth", True)


def test_data_by_alias_are_known_from_the_birth() -> None:
    spark = Spark()
    spark.born()

    told = spark.tell("DDATA", payload(2, number(Decimal("11.25"), alias=1)))

    assert values(told) == {"active_energy_import": 11_250_000}
    assert not told.publish


def test_data_before_a_birth_ask_for_it_once_in_a_while_and_guess_nothing() -> None:
    spark = Spark()

    first = spark.tell("DDATA", payload(7, number(Decimal(11), alias=1)))
    second = spark.tell("DDATA", payload(8, number(Decimal(11), alias=1)))
    spark.clock.at_ms += 10_000
    third = spark.tell("DDATA", payload(9, number(Decimal(11), alias=1)))

    assert [asked_for_rebirth(told) for told in (first, second, third)] == [True, False, True]
    assert first.readings == second.readings == third.readings == ()


def test_after_a_missing_message_aliases_are_not_believed_until_a_new_birth() -> None:
    spark = Spark()
    spark.born()

    gap = spark.tell("DDATA", payload(4, number(Decimal(99), alias=1)))
    spark.born()
    after = spark.tell("DDATA", payload(2, number(Decimal(12), alias=1)))

    assert (gap.readings, asked_for_rebirth(gap)) == ((), True)
    assert values(after) == {"active_energy_import": 12 * MICRO}


def test_sequence_numbers_wrap_after_255() -> None:
    spark = Spark()
    spark.born()

    asked = [spark.tell("NDATA", payload(seq % 256)).publish for seq in range(2, 300)]

    assert set(asked) == {()}


def test_a_death_takes_all_points_and_a_late_will_of_an_older_life_none() -> None:
    spark = Spark()
    spark.born()

    late = spark.tell("NDEATH", payload(None, Metric("bdSeq", data_type=4, value=255)))
    death = spark.tell("NDEATH", payload(None, BDSEQ))

    assert late == Told()
    assert {(r.point_key, r.quality) for r in death.readings} == {
        ("spark-1/active_energy_import", Quality.OFFLINE),
        ("spark-1/active_power", Quality.OFFLINE),
    }


def test_the_death_of_a_device_is_told_and_its_data_need_a_new_birth() -> None:
    spark = Spark()
    spark.born()

    death = spark.tell("DDEATH", payload(2))
    data = spark.tell("DDATA", payload(3, number(Decimal(1), alias=1)))

    assert {r.quality for r in death.readings} == {Quality.OFFLINE}
    assert (data.readings, asked_for_rebirth(data)) == ((), True)


def test_a_value_stored_while_cut_off_keeps_its_own_time() -> None:
    spark = Spark()
    spark.born()
    past = MIDNIGHT_MS - 3_600_000

    told = spark.tell("DDATA", payload(2, number(Decimal(3), ENERGY, timestamp_ms=past, is_historical=True)))

    assert [r.measured_at_ms for r in told.readings] == [past]


def test_a_retained_birth_and_a_null_give_no_value() -> None:
    spark = Spark()

    assert spark.tell("NBIRTH", payload(0, BDSEQ), is_retained=True) == Told()
    spark.born()
    (reading,) = spark.tell("DDATA", payload(2, number(None, alias=1))).readings
    assert reading.quality is Quality.ABSENT


@pytest.mark.parametrize("data", [b"\xff", b"\x12\x7f\x00", b"\x0b"])
def test_what_is_no_payload_is_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        Spark().tell("NBIRTH", data)


def test_devices_of_one_node_share_its_births() -> None:
    other = device_of(load_profile("sparkplug_meter"), "Building/gw1/meter02", "spark-2")

    nodes: Sequence[SparkplugNode] = sparkplug_nodes([METER, other], EVIDENCE)

    assert [[device.device_id for device in node.devices] for node in nodes] == [["spark-1", "spark-2"]]


@pytest.mark.parametrize("device", [PLUG, TASMOTA], ids=["shelly", "tasmota"])
async def test_a_plug_is_switched_and_its_own_word_confirms_it(
    device: DeviceConfig, tmp_path: Path, mosquitto_path: Path
) -> None:
    """The far end answers as the device does: a Shelly on its status topic, a Tasmota on its result."""
    port, hold = free_port(), Hold()
    line = MqttLine(LineId("mqtt"), "127.0.0.1", port, "zigbee2mqtt", "", None)
    listener = MqttListener(line, [device], hold, EVIDENCE, ToldClock(), rng(), client_id="edge-test")  # type: ignore[arg-type]
    asked: list[tuple[str, bytes]] = []

    async def obey(far: aiomqtt.Client) -> None:
        async for message in far.messages:
            asked.append((message.topic.value, bytes(message.payload)))
            is_on = b"true" in message.payload or message.payload == b"ON"
            shelly = json.dumps({"id": 0, "output": is_on})
            tasmota = json.dumps({"POWER": "ON" if is_on else "OFF"})
            topic, payload = (
                ("hall/plug/status/switch:0", shelly) if device is PLUG else ("stat/pump/RESULT", tasmota)
            )
            await far.publish(topic, payload, qos=1)

    async with broker(mosquitto_path, tmp_path, port), aiomqtt.Client("127.0.0.1", port) as far:
        await far.subscribe([("cmnd/pump/POWER", 1), ("hall/plug/rpc", 1)])
        obeying = asyncio.ensure_future(obey(far))
        async with listening(listener):
            plug = MqttPlug(device, listener)
            await plug.act(Action.RELAY_CLOSE, {})
            await until(lambda: [r.value_micro for r in hold.readings] == [MICRO])
            await plug.act(Action.RELAY_OPEN, {})
            await until(lambda: [r.value_micro for r in hold.readings] == [MICRO, 0])
            hold.store()
        obeying.cancel()

    assert {r.point_key for r in hold.readings} == {f"{device.device_id}/relay_state"}
    assert len(asked) == 2


async def test_all_families_share_one_broker(tmp_path: Path, mosquitto_path: Path) -> None:
    port, hold = free_port(), Hold()
    line = MqttLine(LineId("mqtt"), "127.0.0.1", port, "zigbee2mqtt", "", None)
    lock = device_of(load_profile("zigbee2mqtt_lock"), "Front Door", "lock-1")
    devices = [PLUG, TASMOTA, JSON, METER, lock]
    listener = MqttListener(line, devices, hold, EVIDENCE, ToldClock(), rng(), client_id="edge-test")  # type: ignore[arg-type]
    heard: list[tuple[str, bytes]] = []
    async with broker(mosquitto_path, tmp_path, port), aiomqtt.Client("127.0.0.1", port) as far:
        await far.subscribe([("spBv1.0/Building/NCMD/gw1", 1), ("spBv1.0/STATE/+", 1)])
        async with listening(listener):
            await far.publish("hall/plug/status/switch:0", '{"apower":100}', qos=1)
            await far.publish("tele/pump/SENSOR", '{"ENERGY":{"Total":5.5}}', qos=1)
            await far.publish("site/meter-7", '{"power_kw":1}', qos=1)
            await far.publish("zigbee2mqtt/Front Door", '{"lock_state":"locked"}', qos=1)
            birth = payload(1, number(Decimal(7), ENERGY, 1))
            before = payload(5, number(Decimal(1), alias=1))
            await far.publish("spBv1.0/Building/DDATA/gw1/meter01", before, qos=1)
            await far.publish("spBv1.0/Building/NBIRTH/gw1", payload(0, BDSEQ), qos=1)
            await far.publish("spBv1.0/Building/DBIRTH/gw1/meter01", birth, qos=1)
            await until(lambda: len(hold.readings) == 5)
            hold.store()
        async with asyncio.timeout(10):
            async for message in far.messages:
                heard.append((message.topic.value, bytes(message.payload)))
                if b'"online": false' in message.payload:
                    break

    assert {r.point_key: r.value_micro for r in hold.readings} == {
        "plug-1/active_power": 100_000,
        "pump-1/active_energy_import": 5_500_000,
        "meter-7/active_power": MICRO,
        "lock-1/lock_state": 0,
        "spark-1/active_energy_import": 7 * MICRO,
    }
    states = [json.loads(data)["online"] for topic, data in heard if topic == "spBv1.0/STATE/edge-test"]
    assert states == [True, False]
    assert "spBv1.0/Building/NCMD/gw1" in {topic for topic, _ in heard}
