"""The line of a simulated fire panel outlives a centre that is cut off."""

import asyncio
import socket
import struct
from datetime import datetime

from simulator.panel_line import PanelLine


async def test_a_line_that_was_reset_is_dialled_again() -> None:
    dialled: asyncio.Queue[None] = asyncio.Queue()

    def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        linger = struct.pack("ii", 1, 0)  # to close is then to reset
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()
        dialled.put_nowait(None)

    server = await asyncio.start_server(reset, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    line = PanelLine("010203040506", "127.0.0.1", port, datetime.now, set)
    keeping = asyncio.create_task(line.run())
    try:
        async with asyncio.timeout(30):
            await dialled.get()
            await dialled.get()
        assert not keeping.done()
    finally:
        keeping.cancel()
        server.close()
