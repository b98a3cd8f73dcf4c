"""Send one message over one connection and say what became of it: notices and test messages."""

import asyncio

from gatepost.deliver.options import Result
from gatepost.deliver.session import Connection
from gatepost.model.attempt import Failure
from gatepost.model.mail import Item


async def send_once(
    connection: Connection, item: Item, patience: float = 120.0
) -> list[Result] | Failure | None:
    """Return the results of a message, the failure that ended the connection, or None where patience ended."""
    answered: asyncio.Future[list[Result] | Failure | None] = asyncio.get_running_loop().create_future()
    items = [item]

    def answer(value: list[Result] | Failure | None) -> None:
        if not answered.done():
            answered.set_result(value)

    connection.run(
        lambda: items.pop() if items else None,
        lambda _item, results: answer(results),
        lambda c: c.close(),
        lambda _c, failure: answer(failure),
    )
    try:
        async with asyncio.timeout(patience):
            return await answered
    except TimeoutError:
        return None
    finally:
        connection.close()
