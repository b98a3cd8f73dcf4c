"""Sends leave close behind each other, none is lost, and none is held back for long."""

import asyncio

from gatepost.net.sends import Sends


def test_a_lone_send_leaves_on_the_next_turn() -> None:
    async def story() -> None:
        sent: list[int] = []
        Sends(asyncio.get_running_loop(), 4).soon(lambda: sent.append(1))
        assert sent == []
        await asyncio.sleep(0)
        assert sent == [1]

    asyncio.run(story())


def test_a_few_leave_at_once_and_in_order() -> None:
    async def story() -> None:
        sent: list[int] = []
        out = Sends(asyncio.get_running_loop(), 4)
        for number in range(5):
            out.soon(lambda number=number: sent.append(number))  # type: ignore[misc]
        assert sent == list(range(4))
        await asyncio.sleep(0)
        assert sent == list(range(5))

    asyncio.run(story())


def test_a_send_that_fails_holds_no_other_one_back() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        told: list[str] = []
        loop.set_exception_handler(lambda _loop, context: told.append(str(context["exception"])))
        sent: list[int] = []
        out = Sends(loop, 4)

        def fail() -> None:
            raise OSError("gone")

        out.soon(fail)
        out.soon(lambda: sent.append(2))
        await asyncio.sleep(0)
        assert sent == [2]
        assert told == ["gone"]

    asyncio.run(story())
