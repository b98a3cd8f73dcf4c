"""Every look at the content of mail is in the audit, without flooding it."""

import asyncio

from tests.support.fake_gateway import FIRST, make

from gatepost.admin.looks import QUARTER, Looks
from gatepost.admin.messages import MessageQuery
from gatepost.model.ids import to_text

MESSAGE = to_text(FIRST)


class Clock:
    """A gateway whose clock the test moves."""

    def __init__(self):
        self._gateway, self.service = make()
        self.time = 0

    def __getattr__(self, name):
        return getattr(self._gateway, name)

    def now(self):
        return self.time


def looks_after(times, names=("ann",)):
    gateway = Clock()
    looks = Looks(gateway)
    for gateway.time in times:
        for name in names:
            looks.at_message(MESSAGE, name)
    return asyncio.run(looks.listed(100))


def test_looks_within_a_quarter_of_an_hour_are_one():
    assert len(looks_after([0, 1, QUARTER - 1])) == 1


def test_a_later_look_and_another_person_are_looks_of_their_own():
    assert len(looks_after([0, QUARTER])) == 2
    assert {look["who"] for look in looks_after([0, 1], ("ann", "bob"))} == {"ann", "bob"}


def test_a_restart_does_not_make_a_second_one():
    gateway = Clock()
    for gateway.time in (0, 1):
        Looks(gateway).at_message(MESSAGE, "ann")
    assert len(asyncio.run(Looks(gateway).listed(100))) == 1


def test_an_export_is_one_look_and_says_how_much_was_seen():
    gateway = Clock()
    looks = Looks(gateway)
    looks.at_many("to:@a.example", "ann", 0, 0)
    looks.at_many("to:@a.example", "ann", 0, 12)
    (look,) = asyncio.run(looks.listed(100))
    assert (look["what"], look["filter"], look["messages"], look["message"]) == (
        "export",
        "to:@a.example",
        12,
        "",
    )


def test_content_that_was_handed_out_is_in_the_audit():
    gateway = Clock()
    service = type(gateway.service)(gateway)

    async def look():
        async for _piece in await service.messages.content(MESSAGE, "ann"):
            pass
        return [piece async for piece in service.messages.export(MessageQuery(ids=(MESSAGE,)), "bob")]

    asyncio.run(look())
    entries = asyncio.run(service.audit.listed(str, 10, "look"))
    assert sorted((entry["who"], entry["what"]) for entry in entries) == [
        ("ann", "content"),
        ("bob", "export"),
    ]
    assert {entry["kind"] for entry in entries} == {"look"}
