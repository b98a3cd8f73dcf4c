"""One's own account: password, second factor, sessions."""

import segno
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from gatepost.admin.api.app import Use, service_of
from gatepost.admin.errors import AdminError, Conflict, Invalid, tr
from gatepost.admin.pages.door import Looking
from gatepost.admin.pages.render import Visitor, page, say_of
from gatepost.admin.pages.sign_in import client_of
from gatepost.admin.sessions import Session

router = APIRouter(include_in_schema=False)


def _own(visitor: Visitor) -> Session:
    if visitor.session is None:
        raise Conflict(tr("This is for people who signed in."))
    return visitor.session


async def _shown(request: Request, visitor: Visitor, status: int = 200, **values: object) -> Response:
    users, name = service_of(request).users, visitor.caller.name
    known = {
        "role": _own(visitor).role,
        "second_factor": await users.has_second_factor(name),
        "sessions": users.sessions_of(name),
        "draft": None,
        "codes": [],
        "error": "",
    }
    return page(request, "account.html", visitor, status=status, **{**known, **values})


@router.get("/account")
async def account(request: Request, visitor: Looking) -> Response:
    """Show who you are here."""
    return await _shown(request, visitor)


@router.post("/account/{verb}")
async def change(request: Request, service: Use, visitor: Looking, verb: str) -> Response:
    """Change one's own password or second factor, end one's own sessions."""
    _own(visitor)
    try:
        return await _change(request, service, visitor, verb)
    except AdminError as problem:
        return await _shown(request, visitor, problem.status, error=problem.text(say_of(request)))


async def _change(request: Request, service: Use, visitor: Visitor, verb: str) -> Response:
    users, name, address = service.users, visitor.caller.name, client_of(request)[0]
    form = await request.form()
    code = str(form.get("code", ""))
    if verb == "password":
        new = str(form.get("password", ""))
        if new != str(form.get("again", "")):
            raise Invalid(tr("The two passwords differ."))
        await users.change_own_password(name, str(form.get("old", "")), new, address)
        return RedirectResponse("/sign-in", 303)
    if verb == "second-factor":
        draft = await users.begin_second_factor(name)
        picture = segno.make(str(draft["address"]), micro=False).svg_data_uri(scale=4, border=3, light="#fff")
        return await _shown(request, visitor, draft={**draft, "picture": picture})
    if verb == "confirm":
        return await _shown(request, visitor, codes=await users.confirm_second_factor(name, code))
    if verb == "remove":
        await users.remove_second_factor(name, code, address)
    elif verb == "sign-out":
        users.revoke(str(form.get("id", "")), name)
    return RedirectResponse("/account", 303)
