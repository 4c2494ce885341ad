"""The demonstration's own arithmetic: right on a right trace, and a refusal on every forged one."""

import json
from decimal import Decimal
from typing import Any

import pytest

from gatehouse.demo.errors import ProofFailed
from gatehouse.demo.recompute import recompute_line
from protocol.evidence import Evidence
from protocol.fieldbus import cjt188, dlt645
from protocol.fieldbus.cjt188_data import Amount, Status, WaterData, encode_water


def energy_frame(value: str) -> dict[str, Any]:
    request = dlt645.read_request("202607000101", "00010000")
    payload = dlt645.encode_items(dlt645.data_identifier("00010000"), [Decimal(value)])
    reply = dlt645.read_reply("202607000101", "00010000", payload)
    return frame("dlt645-2007", dlt645.encode_frame(request), dlt645.encode_frame(reply))


def water_frame(value: str) -> dict[str, Any]:
    request = cjt188.read_request(0x10, "20260700000101")
    data = encode_water(
        WaterData(Amount(Decimal(value), "m3"), Amount(Decimal("0"), "m3"), None, Status(b"\0\0"))
    )
    reply = cjt188.reply_to(request, 0x10, "20260700000101", data)
    return frame("cjt188", cjt188.encode_frame(request), cjt188.encode_frame(reply))


def frame(protocol: str, request: bytes, reply: bytes) -> dict[str, Any]:
    named = Evidence(protocol, "bus-1", request, reply, 0, 0).digest().hex()
    return {
        "protocol": protocol,
        "line": "bus-1",
        "request_hex": request.hex(),
        "reply_hex": reply.hex(),
        "sha256": named,
    }


def reading(value: str, exchange: dict[str, Any] | None) -> dict[str, Any]:
    return {"value": value, "source": "wire", "frame": exchange}


def energy_trace(**changed: Any) -> dict[str, Any]:
    """500 kWh from 2800 on: 80 in Beijing's first tier (0.4883), 420 in the second (0.5383)."""
    tiers = [{"price": "0.4883"}, {"price": "0.5383"}, {"price": "0.7883"}]
    return {
        "invoice_number": "DG-2026-10-0001",
        "line_no": 2,
        "component": "energy",
        "tier": 2,
        "amount_fen": 22609,
        "charge_no": 0,
        "tariff": {
            "code": "cn-beijing-elec-res",
            "document": {"charges": [{"kind": "tiered", "component": "energy", "tiers": tiers}]},
        },
        "basis": {"start_on": "2026-10-01", "end_on": "2026-11-01", "area_m2": None, "count": 1},
        "ladder": {"before": "2800", "bounds": ["2880", "4800"]},
        "usage": {
            "method": "whole",
            "segments": [
                {
                    "multiplier": "1",
                    "register_modulus": "1000000",
                    "opening": reading("12000.00", energy_frame("12000.00")),
                    "closing": reading("12500.00", energy_frame("12500.00")),
                }
            ],
        },
        **changed,
    }


def recomputed(trace: dict[str, Any]) -> tuple[int, int]:
    found = recompute_line(json.dumps(trace).encode())
    return found.amount_fen, found.frames


def test_a_tier_takes_only_what_lies_in_it() -> None:
    assert recomputed(energy_trace()) == (22609, 2)  # 420 x 0.5383 = 226.086, half up
    assert recomputed(energy_trace(tier=1)) == (3906, 2)  # 80 x 0.4883 = 39.064
    assert recomputed(energy_trace(tier=3)) == (0, 2)


@pytest.mark.parametrize(
    ("charge", "basis", "fen"),
    [
        pytest.param({"kind": "area", "price": "2.80"}, {"area_m2": "89.43"}, 25040, id="property fee"),
        pytest.param({"kind": "fixed", "price": "80"}, {}, 8000, id="a month"),
        pytest.param(
            {"kind": "fixed", "price": "80", "is_counted": True}, {"count": 2}, 16000, id="two parking spaces"
        ),
    ],
)
def test_a_month_without_a_meter_follows_from_what_it_is_charged_by(
    charge: dict[str, Any], basis: dict[str, Any], fen: int
) -> None:
    trace = energy_trace(tier=None, ladder=None, usage=None)
    trace["basis"] |= basis
    trace["tariff"]["document"]["charges"] = [{"component": "fee", **charge}]

    assert recomputed(trace) == (fen, 0)


def test_part_of_a_month_is_not_taken_for_a_whole_one() -> None:
    trace = energy_trace(tier=None, ladder=None, usage=None)
    trace["basis"] |= {"start_on": "2026-10-17", "area_m2": "89.43"}
    trace["tariff"]["document"]["charges"] = [{"kind": "area", "component": "fee", "price": "2.80"}]

    with pytest.raises(ProofFailed, match="for whole months"):
        recomputed(trace)


def test_a_flat_price_takes_everything() -> None:
    trace = energy_trace(tier=None, ladder=None)
    trace["tariff"]["document"]["charges"] = [{"kind": "flat", "component": "sewage", "price": "1.36"}]
    segment = trace["usage"]["segments"][0]
    segment["opening"] = reading("100.00", water_frame("100.00"))
    segment["closing"] = reading("109.13", water_frame("109.13"))

    assert recomputed(trace) == (1242, 2)  # 9.13 x 1.36 = 12.4168


def test_half_a_fen_is_rounded_up() -> None:
    trace = energy_trace(tier=None, ladder=None)
    trace["tariff"]["document"]["charges"] = [{"kind": "flat", "component": "x", "price": "0.00001"}]

    assert recomputed(trace) == (1, 2)  # 500 x 0.00001 yuan are half a fen


def test_a_dial_that_passed_zero_counts_on() -> None:
    trace = energy_trace(ladder={"before": "0", "bounds": ["2880", "4800"]}, tier=1)
    segment = trace["usage"]["segments"][0]
    segment["opening"] = reading("999990.00", energy_frame("999990.00"))
    segment["closing"] = reading("90.00", energy_frame("90.00"))

    assert recomputed(trace) == (4883, 2)  # 100 kWh


def test_a_transformer_multiplies() -> None:
    trace = energy_trace(ladder={"before": "0", "bounds": ["288000", "480000"]}, tier=1)
    trace["usage"]["segments"][0]["multiplier"] = "40"

    assert recomputed(trace) == (976600, 2)  # 20,000 kWh


def forged(change: str) -> dict[str, Any]:
    trace = energy_trace()
    closing = trace["usage"]["segments"][0]["closing"]
    match change:
        case "a reading that its frame does not say":
            closing["value"] = "12499.00"
        case "a frame with other bytes than its hash":
            closing["frame"]["line"] = "bus-2"
        case "a frame with a bad checksum":
            reply = bytearray.fromhex(closing["frame"]["reply_hex"])
            reply[-2] ^= 1
            request = bytes.fromhex(closing["frame"]["request_hex"])
            closing["frame"] = frame("dlt645-2007", request, bytes(reply))
        case "a reply of another meter":
            request = dlt645.encode_frame(dlt645.read_request("202607000102", "00010000"))
            closing["frame"] = frame("dlt645-2007", request, bytes.fromhex(closing["frame"]["reply_hex"]))
        case "a wire reading without a frame":
            closing["frame"] = None
        case "a tier without a ladder":
            trace["ladder"] = None
        case "an amount without usage":
            trace["usage"] = None
    return trace


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("a reading that its frame does not say", "the frame says 12500.00, the bill 12499.00"),
        ("a frame with other bytes than its hash", "the frame's hash is"),
        ("a frame with a bad checksum", "cannot be decoded: checksum is"),
        ("a reply of another meter", "answered a request to 202607000102"),
        ("a wire reading without a frame", "without its frame"),
        ("a tier without a ladder", "without its place on the ladder"),
        ("an amount without usage", "for whole months at one price"),
    ],
)
def test_what_does_not_hold_together_is_named(change: str, told: str) -> None:
    with pytest.raises(ProofFailed, match=told):
        recompute_line(json.dumps(forged(change)).encode())


def test_something_else_than_a_trace_is_refused() -> None:
    with pytest.raises(ProofFailed, match="a trace cannot be read"):
        recompute_line(b'{"amount_fen": 1}')
