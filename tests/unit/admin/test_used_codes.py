"""A code of a second factor works once, also where the gateway was started anew in between."""

import asyncio

from tests.support.fake_gateway import NOW, make

from gatepost.admin import totp
from gatepost.admin.errors import SecondFactor
from gatepost.admin.users import USER, UserUseCases

SECRET = totp.secret_of(b"12345678901234567890")
CODE = totp.code_at(SECRET, NOW // 1000 // totp.PERIOD)
ANN = {"role": "operator", "totp": SECRET, "recovery": [], "created_at": NOW}


class Keeper:
    """What a gateway keeps over a restart: its users beside its store."""

    def __init__(self):
        self._gateway, _service = make()
        self.users = {"ann": dict(ANN)}

    def __getattr__(self, name):
        return getattr(self._gateway, name)

    async def stored(self, kind):
        assert kind == USER
        return self.users

    async def put_stored(self, _kind, name, data, _who):
        if data is None:
            del self.users[name]
        else:
            self.users[name] = data

    def unseal(self, stored):
        return stored


def gets_in(gateway):
    """Tell whether a code lets ann in at a gateway that was just started."""

    async def enter():
        users = UserUseCases(gateway)
        try:
            await users.sign_in_by_provider("ann", "", "192.0.2.1", "a browser")
        except SecondFactor as more:
            ticket = more.ticket
        try:
            await users.second_factor(ticket, CODE, "192.0.2.1", "a browser")
        except SecondFactor:
            return False
        return True

    return asyncio.run(enter())


def test_a_code_is_not_taken_again_after_a_restart():
    gateway = Keeper()
    assert gets_in(gateway)
    assert not gets_in(gateway)


def test_a_new_second_factor_knows_nothing_of_the_codes_of_the_old_one():
    gateway = Keeper()
    assert gets_in(gateway)
    asyncio.run(UserUseCases(gateway).reset_second_factor("ann", "an administrator"))
    gateway.users["ann"] = dict(ANN)
    assert gets_in(gateway)
