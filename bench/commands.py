"""A command's round trip under full polling: asked for at the API, done by the device, its answer back.

The real programs: cloud, edge, simulated building; every meter, lift and fire panel is polled every other
second meanwhile. What is asked is a raw read, which needs the bus like any other act. The time is the
cloud's own: from the request's arrival to the result's.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.measure import row
from protocol.fieldbus import dlt645, modbus
from tests.torture.rig import running_rig
from tests.torture.test_commands import Technician

_WARM_UP_S = 8.0
_WIDTHS = (44, 8, 12, 12, 12)
_TIMES = 50  # a device takes no more than 60 raw reads a minute
_FLATS = [f"{floor}0{flat}" for floor in range(1, 4) for flat in range(1, 5)]


def main() -> int:
    """Run and print the table; return 0."""
    print("commands: raw reads while the whole building is polled")
    print(row("", "asked", "median ms", "p95 ms", "worst ms", widths=_WIDTHS))
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder, running_rig(Path(folder)) as rig:
        technician = Technician(rig)
        rig.start("edge")
        technician.wait_until_online(rig.folder / "edge.log")
        time.sleep(_WARM_UP_S)
        _measure(technician, "Modbus TCP", _modbus_questions())
        _measure(technician, "DL/T 645 at 2400 baud, shared RS-485", _dlt645_questions())
    return 0


def _measure(technician: Technician, title: str, questions: Iterator[tuple[str, str]]) -> None:
    took_ms = []
    for device, frame in questions:
        command = technician.asked("devices", device, "raw_read", frame=frame)
        if command["state"] != "done":
            raise RuntimeError(f"{device}: {command['state']}: {command['detail']}")
        took_ms.append(command["ended_at_ms"] - command["requested_at_ms"])
    took_ms.sort()
    p95 = took_ms[int(0.95 * len(took_ms))]
    cells = (len(took_ms), f"{median(took_ms):.0f}", p95, took_ms[-1])
    print(row(title, *cells, widths=_WIDTHS), flush=True)


def _modbus_questions() -> Iterator[tuple[str, str]]:
    for number in range(_TIMES):
        code = modbus.FunctionCode.READ_INPUT_REGISTERS
        request = modbus.Request(1, code, 0, 2, transaction_id=number + 1)
        yield "em-main", modbus.encode_request(request, modbus.Framing.TCP).hex()


def _dlt645_questions() -> Iterator[tuple[str, str]]:
    for number in range(_TIMES):
        flat = _FLATS[number % len(_FLATS)]
        frame = dlt645.read_request(f"202607000{flat}", "02010100")
        yield f"em-{flat}", dlt645.encode_frame(frame).hex()


if __name__ == "__main__":
    sys.exit(main())
