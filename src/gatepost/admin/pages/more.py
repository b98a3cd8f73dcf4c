"""Alerts, reports, the audit log, the knowledge base, settings with users and tokens."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response

from gatepost.admin.api.app import Use
from gatepost.admin.errors import NotFound, tr
from gatepost.admin.flows import WINDOWS, FlowFilter
from gatepost.admin.insights import InsightFilter
from gatepost.admin.pages.door import Looking
from gatepost.admin.pages.render import language_of, page, say_of
from gatepost.diagnose.catalogue import explain
from gatepost.diagnose.pages import CODES
from gatepost.model.failure import FailureClass

router = APIRouter(include_in_schema=False)
REPORTS = {
    "queued": tr("Queued messages"), "ndr": tr("Returned mail"), "connectors": tr("Connectors"),
    "domains": tr("Accepted domains"), "flow": tr("Mail flow"), "quota": tr("Invalid recipients"),
}  # fmt: skip
SPANS = {
    "ndr": ("24h", "7d", "30d", "90d"),
    "connectors": ("24h", "7d", "30d", "90d"),
    "flow": ("1h", "4h", "24h", "7d"),
}
TIMES = frozenset({"queued_since", "oldest_expires_at", "next_attempt_at", "last_success", "since", "at"})
# what the columns of reports are called; the others speak for themselves
COLUMNS = {
    "messages": tr("Messages"), "connector": tr("Connector"), "queued_since": tr("Queue started"),
    "oldest_expires_at": tr("Oldest expires"), "destination_server": tr("Destination server"),
    "last_address": tr("Last IP address"), "last_error": tr("Last error"), "how_to_fix": tr("How to fix"),
    "destination": tr("Destination"), "state": tr("State"), "recipients": tr("Recipients"), "bytes": tr("Size"),
    "next_attempt_at": tr("Next attempt"), "insight": tr("Insight"), "date": tr("Date"), "code": tr("Code"),
    "smtp": "SMTP", "class": tr("Class"), "title": tr("Title"), "returned": tr("Returned"), "samples": tr("Samples"),
    "to": tr("Connection to"), "enabled": tr("In use"), "delivered": tr("Delivered"), "deferred": tr("Deferred"),
    "failed": tr("Failed"), "attempts": tr("Attempts"), "failed_connections": tr("Failed connections"),
    "delivered_share": tr("Delivered share"), "tls": "TLS", "average_ms": tr("Average ms"),
    "last_success": tr("Last success"), "queued": tr("Queued"), "insights": tr("Insights"), "domain": tr("Domain"),
    "type": tr("Type"), "status": tr("Status"), "reason": tr("Reason"), "mx_now": tr("MX now"),
    "mx_before": tr("MX before"), "source": tr("Source"), "outcome": tr("Outcome"),
}  # fmt: skip


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


@router.get("/reports")
async def reports(
    request: Request,
    service: Use,
    visitor: Looking,
    report: str = "queued",
    since: str = "7d",
    form: str = "",
) -> Response:
    """Show one report as a table, or give it as CSV."""
    lang = language_of(request)
    window = since if since in WINDOWS else "7d"
    makers: dict[str, Any] = {
        "queued": lambda: service.reports.queued(lang),
        "ndr": lambda: service.reports.ndr(since, ""),
        "connectors": lambda: service.reports.connectors(since),
        "domains": lambda: service.reports.domains(lang),
        "flow": lambda: service.reports.flow(FlowFilter(window)),
        "quota": service.reports.quota,
    }
    if report not in makers:
        raise NotFound(tr("There is no such report."))
    found = await makers[report]()
    if form == "csv":
        headers = {"Content-Disposition": f'attachment; filename="{report}.csv"'}
        return PlainTextResponse(found.to_csv(), media_type="text/csv", headers=headers)
    return page(
        request, "reports.html", visitor, report=report, titles=REPORTS, data=found.to_json(), words=COLUMNS,
        columns=found.columns, times=TIMES, since=since, spans=SPANS.get(report, ()),
    )  # fmt: skip


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
async def settings(request: Request, service: Use, visitor: Looking, doctor: str = "") -> Response:
    """Show users, sessions, tokens; with `doctor` how the gateway is, for which it may wait for a resolver."""
    admin = visitor.may("admin")
    found = await service.doctor(say_of(request), audit=False) if doctor else None
    return page(
        request, "settings.html", visitor,
        users=await service.users.listed() if admin else [],
        sessions=service.users.sessions_of() if admin else [],
        tokens=await service.tokens.listed() if admin else [],
        doctor=found, health=service.health(), made="",
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
        tokens=await service.tokens.listed(), doctor=None, health=service.health(), made=made,
    )  # fmt: skip
