"""Checks: test messages, diagnostics with live stages, validations of connectors and their history."""

from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from gatepost.admin.api.app import Use
from gatepost.admin.checks import Wanted
from gatepost.admin.errors import AdminError
from gatepost.admin.pages.door import Looking
from gatepost.admin.pages.objects import KINDS, read
from gatepost.admin.pages.render import Visitor, language_of, page, say_of
from gatepost.admin.service import Service
from gatepost.model.objects import TlsMode

router = APIRouter(include_in_schema=False)
MOST_CHECKED = 50  # connectors whose checks are looked at
LATEST = 15


@router.post("/test-mail")
async def test_mail(request: Request, service: Use, visitor: Looking) -> Response:
    """Send a test message, and show it on its way."""
    visitor.caller.need("operate")
    recipient = str((await request.form()).get("recipient", "")).strip()
    sent = await service.send_test(recipient, visitor.caller.name, say_of(request))
    return RedirectResponse(f"/messages/{sent['id']}", 303)


@router.post("/check")
async def check(request: Request, service: Use, visitor: Looking) -> Response:
    """Check a saved connector, the draft in a form, a host or the way of an address."""
    visitor.caller.need("operate")
    form = await request.form()
    recipient = str(form.get("recipient", "")).strip()
    kind = KINDS["connectors"]
    if form.get("draft"):
        given = {
            k: v
            for k, v in read(kind, form).items()
            if v not in (None, []) and k not in ("password", "username")
        }
        wanted = Wanted(draft={"name": str(form.get("name") or "draft"), **given}, recipient=recipient)
    else:
        wanted = Wanted(
            connector=str(form.get("connector", "")),
            smart_host=str(form.get("smart_host", "")).strip(),
            tls=str(form.get("tls", "")),
            recipient=recipient,
        )
    found = await service.checks.check(visitor.caller, wanted, language_of(request))
    return page(request, "check.html", visitor, found=found)


@router.get("/diagnostics")
async def diagnostics(
    request: Request, service: Use, visitor: Looking, connector: str = "", address: str = ""
) -> Response:
    """Check anything, stage by stage; ask which way an address goes; see what was seen before."""
    lang = language_of(request)
    names = [c.name for c in service.gateway.objects.connectors]
    checks = [c for name in names[:MOST_CHECKED] for c in (await service.checks.kept(name, "", lang))[:3]]
    checks.sort(key=lambda found: str(found["at"]), reverse=True)
    return page(
        request, "diagnostics.html", visitor, connectors=names, modes=tuple(str(mode) for mode in TlsMode),
        connector=connector, checks=checks[:LATEST], address=address[:320],
        route=service.route_explain(address.strip()[:320], say_of(request)) if address.strip() else None,
    )  # fmt: skip


@router.get("/validations")
async def validations(request: Request, service: Use, visitor: Looking, connector: str = "") -> Response:
    """Show what validations of connectors found, stage by stage, newest first."""
    return await _validations(request, service, visitor, connector)


async def _validations(
    request: Request, service: Service, visitor: Visitor, connector: str, error: str = "", status: int = 200
) -> Response:
    rows = await service.checks.validations("" if error else connector)
    return page(
        request, "validations.html", visitor, status=status, rows=rows, connector=connector, error=error,
        connectors=[c.name for c in service.gateway.objects.connectors],
    )  # fmt: skip


@router.post("/validations")
async def validate(request: Request, service: Use, visitor: Looking) -> Response:
    """Validate a connector with test recipients, and show the result on top of the others."""
    visitor.caller.need("operate")
    form = await request.form()
    connector = str(form.get("connector", ""))
    recipients = str(form.get("recipients", "")).replace(",", " ").split()[:20]
    try:
        await service.checks.validate(visitor.caller, connector, recipients, message="message" in form)
    except AdminError as problem:
        sentence = problem.text(say_of(request))
        return await _validations(request, service, visitor, connector, sentence, problem.status)
    return RedirectResponse(f"/validations?connector={quote(connector)}", 303)
