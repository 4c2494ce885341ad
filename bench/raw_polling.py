"""The yardstick of polling: pymodbus alone, one client a meter, decoding and forgetting.

python -m bench.raw_polling READINGS PERIOD_S PORT…
→ runs until standard input ends; the caller watches its CPU and the meters' request count
"""

import asyncio
import sys

from pymodbus.client import AsyncModbusTcpClient


async def poll(port: int, readings: int, period_s: float, after_s: float) -> None:
    """Read one meter in one request a period, and decode its 32-bit values."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(after_s)
    client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=1, retries=0)
    await client.connect()
    due = loop.time()
    while True:
        answer = await client.read_holding_registers(0, count=2 * readings)
        if answer.isError():
            raise RuntimeError(f"port {port}: {answer}")
        words = answer.registers
        values = [(words[2 * k] << 16) | words[2 * k + 1] for k in range(readings)]
        assert len(values) == readings
        due += period_s
        await asyncio.sleep(max(0.0, due - loop.time()))


async def main(readings: int, period_s: float, spread: float, ports: list[int]) -> None:
    """Poll all meters until the caller closes standard input."""
    step_s = spread * period_s / len(ports)
    tasks = [
        asyncio.create_task(poll(port, readings, period_s, step_s * number))
        for number, port in enumerate(ports)
    ]
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await asyncio.wait([*tasks, asyncio.ensure_future(ended)], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        if task.done():
            task.result()
        task.cancel()


if __name__ == "__main__":
    count, period, wanted_spread, *all_ports = sys.argv[1:]
    asyncio.run(main(int(count), float(period), float(wanted_spread), [int(port) for port in all_ports]))
