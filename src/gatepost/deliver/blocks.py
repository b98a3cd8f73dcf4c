"""Send a large content: one block at a time, each taken by the kernel before the next is read."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from gatepost.deliver.options import DeliveryOptions
from gatepost.deliver.transaction import Transaction
from gatepost.deliver.wire import Wire
from gatepost.model.mail import Item

BLOCK = 512 * 1024


class TooSlow(Exception):
    """Each block is taken in its time, and yet the whole would take days."""


async def send_blocks(wire: Wire, front: Transaction, options: DeliveryOptions) -> bool:
    """Send the content of a transaction; return whether its last line still needs its end."""
    end = b"\r\n"
    limit = options.deadlines.block
    begun = wire.loop.time()
    async with aclosing(_blocks(front.item, options)) as blocks:
        async for block in blocks:
            await wire.put(block)
            front.sent += len(block)
            end = (end + block[-2:])[-2:]
            now = wire.loop.time()
            _demand_rate(front.sent, now - begun, options)
            wire.deadline = now + limit
    await wire.writable()
    return end != b"\r\n"


def _demand_rate(sent: int, seconds: float, options: DeliveryOptions) -> None:
    rate = options.deadlines.min_rate
    if seconds >= options.deadlines.block and sent < rate * seconds:
        took = f"{sent} octets in {seconds:.0f} seconds, less than {rate} a second"
        raise TooSlow(f"the content is taken too slowly: {took}")


async def _blocks(item: Item, options: DeliveryOptions) -> AsyncGenerator[bytes, None]:
    if item.body is not None:
        for start in range(0, len(item.body), BLOCK):
            yield item.body[start : start + BLOCK]
        return
    stream = options.open_body(item)
    try:
        async for block in stream:
            yield block
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()
