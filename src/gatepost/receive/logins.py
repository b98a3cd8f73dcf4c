"""Whether a login is good, and what is said: once a session, so it may take its time."""

from typing import NamedTuple

from gatepost.receive.shared import Shared
from gatepost.smtp.events import Auth


class Checked(NamedTuple):
    """What came of a login: the answer, and whether it counts as a failure."""

    answer: tuple[int, str, str]
    good: bool = False
    failed: bool = False


async def check(shared: Shared, address: str, event: Auth) -> Checked:
    """Check a login; who failed too often has to wait."""
    guard, hooks = shared.guard, shared.hooks
    keys = (f"user {event.user}", f"address {address}")
    if guard.blocked(keys, shared.loop.time()):
        hooks.guessed(event.user, address, waited=True)
        return Checked((454, "4.7.0", "Too many failed logins, try again later"), failed=True)
    try:
        good = await hooks.check_login(event.user, event.password)
    except Exception as problem:
        hooks.say("receive.error", error=repr(problem), event="Auth", client=address)
        return Checked((454, "4.7.0", "The login could not be checked, try again later"))
    if good:
        guard.succeeded(keys)
        return Checked((235, "2.7.0", "Welcome"), good=True)
    guard.failed(keys, shared.loop.time())
    hooks.guessed(event.user, address, waited=False)
    hooks.count("refused", why="login")
    hooks.say("receive.login_failed", user=event.user, client=address)
    return Checked((535, "5.7.8", "The user name or the password is wrong"), failed=True)
