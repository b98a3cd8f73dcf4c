"""A client that sends at a given rate over kept sessions, and measures the wait for each acknowledgement."""

import asyncio
import time

BODY = b"Subject: paced\r\n\r\n" + (b"x" * 70 + b"\r\n") * 14 + b".\r\n"


async def _reply(reader: asyncio.StreamReader) -> bytes:
    while True:
        line = await reader.readline()
        if line[3:4] != b"-":
            return line


async def _session(port: int, numbers: "asyncio.Queue[tuple[int, float] | None]", waits: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await _reply(reader)
    writer.write(b"EHLO client.test\r\n")
    await _reply(reader)
    while (entry := await numbers.get()) is not None:
        number, due = entry
        writer.write(b"MAIL FROM:<s@client.test>\r\nRCPT TO:<%dr@healthy.test>\r\nDATA\r\n" % number)
        for _ in range(3):
            await _reply(reader)
        writer.write(BODY)
        line = await _reply(reader)
        assert line.startswith(b"250"), line
        # Counted from when the message was due: a stall delays those behind it, and that has to show.
        waits.append(time.monotonic() - due)
    writer.write(b"QUIT\r\n")
    await reader.read()
    writer.close()


async def _send(port: int, rate: float, count: int, sessions: int) -> list[float]:
    numbers: asyncio.Queue[tuple[int, float] | None] = asyncio.Queue()
    waits: list[float] = []
    running = [asyncio.ensure_future(_session(port, numbers, waits)) for _ in range(sessions)]
    begin = time.monotonic() + 0.3
    for number in range(count):
        due = begin + number / rate
        pause = due - time.monotonic()
        if pause > 0:
            await asyncio.sleep(pause)
        numbers.put_nowait((number, due))
    for _ in range(sessions):
        numbers.put_nowait(None)
    await asyncio.gather(*running)
    return waits


def send_paced(port: int, rate: float, count: int, sessions: int = 20) -> tuple[float, float]:
    """Send so many messages a second; returns p50 and p99 of the acknowledgement in milliseconds."""
    waits = sorted(asyncio.run(_send(port, rate, count, sessions)))
    return waits[len(waits) // 2] * 1000, waits[int(len(waits) * 0.99)] * 1000
