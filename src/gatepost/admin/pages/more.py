"""Alerts, the audit log, the knowledge base, settings with users and tokens."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from gatepost.admin.api.app import Use
from gatepost.admin.errors import NotFound, tr
from gatepost.admin.insights import InsightFilter
from gatepost.admin.pages.door import Looking
from gatepost.admin.pages.render import language_of, page, say_of
from gatepost.diagnose.catalogue import explain
from gatepost.diagnose.pages import CODES
from gatepost.model.failure import FailureClass

router = APIRouter(include_in_schema=False)


@router.get("/alerts")
async def alerts(request: Request, service: Use, visitor: Looking, all: str = "") -> Response:  # noqa: A002
    """Show what fires, what is silenced, what was told."""
    lang = language_of(request)
    return page(
        request, "alerts.html", visitor, rows=await service.alerts.listed(lang, everything=bool(all)),
        silences=service.alerts.silences(), notices=await service.alerts.notices(30), everything=bool(all),
        channels=[c.name for c in service.gateway.objects.channels],
        connectors=[c.name for c in service.gateway.objects.connectors],
    )  # fmt: skip


@router.post("/alerts/{verb}")
async def steer(request: Request, service: Use, visitor: Looking, verb: str) -> Response:
    """Acknowledge, silence, end a silence, send a test."""
    visitor.caller.need("operate")
    form, who = await request.form(), visitor.caller.name
    if verb == "acknowledge":
        await service.alerts.acknowledge(str(form.get("id", "")), who)
    elif verb == "silence":
        connector, until, reason = (str(form.get(key, "")) for key in ("connector", "until", "reason"))
        service.alerts.silence("", connector, until, reason, who)
    elif verb == "unsilence":
        service.alerts.unsilence(str(form.get("id", "")), who)
    elif verb == "test":
        visitor.caller.need("admin")
        found = await service.alerts.test(str(form.get("channel", "")))
        return page(request, "notice_test.html", visitor, found=found)
    return RedirectResponse("/alerts", 303)


@router.get("/audit")
async def audit(request: Request, service: Use, visitor: Looking, before: int = 0) -> Response:
    """Show who changed what, when, and why; fixes can be undone from here."""
    changes = await service.objects.history(100, before)
    fixes = await service.fixes.listed(50, say_of(request))
    jobs = [job for job in await service.jobs.listed(50, say_of(request)) if not job["dry_run"]]
    looks = await service.audit.looks(50)
    return page(request, "audit.html", visitor, changes=changes, fixes=fixes, jobs=jobs, looks=looks)


@router.get("/knowledge")
async def knowledge(request: Request, visitor: Looking) -> Response:
    """Show every failure class."""
    lang = language_of(request)
    rows = [(str(c), CODES.get(c, ""), explain(c, lang).title) for c in FailureClass]
    return page(request, "knowledge.html", visitor, rows=rows)


@router.get("/knowledge/{name}")
async def article(request: Request, service: Use, visitor: Looking, name: str) -> Response:
    """Show what is known of one, and where it happens now."""
    if name not in {str(c) for c in FailureClass}:
        raise NotFound(tr("There is no such page."))
    found, lang = FailureClass(name), language_of(request)
    insights = await service.insights.listed(InsightFilter(failure_class=name), lang)
    return page(
        request,
        "article.html",
        visitor,
        advice=explain(found, lang),
        code=CODES.get(found, ""),
        insights=insights,
    )


@router.get("/settings")
async def settings(request: Request, service: Use, visitor: Looking) -> Response:
    """Show users, sessions, tokens, and where the other settings are."""
    admin = visitor.may("admin")
    return page(
        request, "settings.html", visitor,
        users=await service.users.listed() if admin else [],
        sessions=service.users.sessions_of() if admin else [],
        tokens=await service.tokens.listed() if admin else [],
        health=service.health(), made="",
    )  # fmt: skip


@router.post("/settings/{verb}")
async def change(request: Request, service: Use, visitor: Looking, verb: str) -> Response:
    """Make and end users, sessions and tokens."""
    visitor.caller.need("admin")
    form, who, made = await request.form(), visitor.caller.name, ""
    name = str(form.get("name", "")).strip()
    if verb == "user":
        await service.users.create(name, str(form.get("role", "viewer")), "", who, dry_run=False)
        made = str((await service.users.link(name))["url"])
    elif verb == "delete-user":
        await service.users.delete(name, who, dry_run=False)
    elif verb == "session":
        service.users.revoke(name)
    elif verb == "token":
        scope, expires = str(form.get("scope", "read")), str(form.get("expires", ""))
        made = str((await service.tokens.create(name, scope, expires, who, dry_run=False))["token"])
    elif verb == "delete-token":
        await service.tokens.delete(name, who, dry_run=False)
    if not made:
        return RedirectResponse("/settings", 303)
    return page(
        request, "settings.html", visitor, users=await service.users.listed(), sessions=service.users.sessions_of(),
        tokens=await service.tokens.listed(), health=service.health(), made=made,
    )  # fmt: skip
