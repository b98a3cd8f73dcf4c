"""Who stands at the door of a page: the session of the cookie, and the word that every form carries.

Rule: a request that changes something needs the session's own word (a form field or a header) and, where the browser
says where it comes from, our own origin.
"""

from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request

from gatepost.admin.api.app import ADMINISTRATOR, TRUSTED, caller_of, same_origin, service_of
from gatepost.admin.api.documentation import COOKIE, SAFE
from gatepost.admin.pages.render import JSON_DOOR, Visitor


class SignInFirst(Exception):
    """Nobody is signed in: the page leads to the sign-in, and back."""

    def __init__(self, back: str) -> None:
        super().__init__(back)
        self.where = f"/sign-in?next={quote(back, safe='/')}" if back not in ("", "/") else "/sign-in"


async def visitor(request: Request) -> Visitor:
    """Return who looks; raise `SignInFirst` where nobody is signed in."""
    if request.scope.get(TRUSTED) is True:
        return Visitor(ADMINISTRATOR, None)
    users = service_of(request).users
    if request.scope.get(JSON_DOOR) and request.method in SAFE:
        return await _program(request)
    session = await users.session(request.cookies.get(COOKIE, ""))
    if session is None:
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        raise SignInFirst(back if request.method in SAFE else "/")
    if request.method not in SAFE:
        same_origin(request)
        given = request.headers.get("x-csrf-token", "")
        if not given and "form" in request.headers.get("content-type", ""):
            form = await request.form()
            given = str(form.get("csrf", ""))
        users.check_csrf(session, given)
    return Visitor(session.caller, session)


async def _program(request: Request) -> Visitor:
    """Return who asks for the data of a page: whoever is signed in, or the owner of a token."""
    caller = await caller_of(request)
    return Visitor(caller, await service_of(request).users.session(request.cookies.get(COOKIE, "")))


Looking = Annotated[Visitor, Depends(visitor)]
