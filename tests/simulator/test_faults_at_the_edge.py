"""Whatever goes wrong on the wires, the edge believes nothing that a device did not say."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from edge.field import open_field
from protocol.reading import ClockQuality, Quality
from provisioning.config_file import load_config
from simulator.building import DEVICES
from simulator.edge_config import edge_config
from simulator.faults import WIRE_FAULTS, Fault, FaultKind, kinds_for
from simulator.simulation import Settings, Simulation
from tests.simulator.building import AT_MS

HOUR_MS = 3_600_000
TIMEOUT_MS = 60


class StandingClock:
    """The edge's clock, set by the test."""

    quality = ClockQuality.SYNCED

    def __init__(self) -> None:
        self.now_ms = AT_MS

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic_ms(self) -> int:
        return self.now_ms


def configured(simulation: Simulation, folder: Path) -> Path:
    text = edge_config(simulation.places).replace("gap_ms = 0", f"gap_ms = 0\ntimeout_ms = {TIMEOUT_MS}")
    path = folder / "edge.toml"
    path.write_text(text, encoding="utf-8")
    return path


async def spoil_some(simulation: Simulation, chance: random.Random) -> None:
    """Let a third of the wired devices fail for one to three replies, each in some way it can."""
    for device in DEVICES:
        kinds = [kind for kind in kinds_for(device) if kind in WIRE_FAULTS]
        if device.line_id == "mqtt" or not kinds or chance.random() > 0.33:
            continue
        wanted = Fault(
            fault_id=0,
            device_id="",
            kind=chance.choice(kinds),
            since_ms=0,
            delay_ms=chance.choice([TIMEOUT_MS // 2, 2 * TIMEOUT_MS, 4 * TIMEOUT_MS]),
            replies_left=chance.randint(1, 3),
        )
        await simulation.add_fault(device.device_id, wanted)


@pytest.mark.parametrize("seed", [1, 2])
async def test_no_fault_of_the_wire_makes_a_good_reading(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    clock = StandingClock()
    async with Simulation(Settings(seed=seed), lambda: AT_MS) as simulation:
        config = load_config(configured(simulation, tmp_path))
        good: Counter[tuple[str, int]] = Counter()
        failed: Counter[Quality] = Counter()
        async with open_field(config, clock, chance) as field:
            for step in range(6):
                clock.now_ms = AT_MS + step * HOUR_MS
                simulation.clock.stand_at(clock.now_ms)
                await spoil_some(simulation, chance)
                await field.poller.poll_all()
                for key, reading in field.intake.latest.items():
                    if reading.value_micro is None:
                        failed[reading.quality] += 1
                    elif reading.measured_at_ms == clock.now_ms:
                        good[key, reading.value_micro] += 1
                await asyncio.sleep(2 * TIMEOUT_MS / 1000)
        issued = Counter((f"{i.device_id}/{i.point}", i.value_micro) for i in simulation.ledger.items())

    assert good - issued == Counter()
    assert good.total() > 500
    assert failed[Quality.NO_REPLY] > 0
    assert failed[Quality.BAD_FRAME] > 0


@pytest.mark.parametrize("kind", [FaultKind.NOISE, FaultKind.LATE_REPLY])
async def test_a_whole_reply_in_time_is_read_in_spite_of_its_company(tmp_path: Path, kind: FaultKind) -> None:
    clock = StandingClock()
    async with Simulation(Settings(), lambda: AT_MS) as simulation:
        simulation.clock.stand_at(AT_MS)
        config = load_config(configured(simulation, tmp_path))
        wanted = Fault(fault_id=0, device_id="", kind=kind, since_ms=0, delay_ms=TIMEOUT_MS // 3)
        await simulation.add_fault("wm-501", wanted)
        async with open_field(config, clock, random.Random(1)) as field:
            await field.poller.poll_all()

            reading = field.intake.latest["wm-501/water_volume"]
            issued = {
                item.point: item.value_micro
                for item in simulation.ledger.items()
                if item.device_id == "wm-501"
            }

    assert reading.quality is Quality.GOOD
    assert reading.value_micro == issued["water_volume"]
