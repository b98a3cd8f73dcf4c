"""Reports as tables, under titles in the reader's language, or for spreadsheets."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from gatepost.admin.api.app import Use
from gatepost.admin.errors import NotFound, tr
from gatepost.admin.flows import WINDOWS, FlowFilter
from gatepost.admin.pages.door import Looking
from gatepost.admin.pages.render import language_of, page

router = APIRouter(include_in_schema=False)
REPORTS = {
    "queued": tr("Queued messages"), "ndr": tr("Returned mail"), "connectors": tr("Connectors"),
    "domains": tr("Accepted domains"), "flow": tr("Mail flow"), "tls": "TLS", "quota": tr("Invalid recipients"),
}  # fmt: skip
SPANS = {
    "ndr": ("24h", "7d", "30d", "90d"),
    "connectors": ("24h", "7d", "30d", "90d"),
    "flow": ("1h", "4h", "24h", "7d"),
    "tls": ("1h", "4h", "24h", "7d"),
}
TIMES = frozenset({
    "queued_since", "oldest_expires_at", "next_attempt_at", "last_success", "since", "at", "first_at", "last_at",
    "until",
})  # fmt: skip
WIDE = frozenset({"last_error", "how_to_fix", "reason", "title", "examples", "mx_now", "mx_before"})
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
    "mx_before": tr("MX before"), "source": tr("Source"), "outcome": tr("Outcome"), "direction": tr("Direction"),
    "version": tr("Version"), "share": tr("Share"), "dimension": tr("Counted for"), "name": tr("Name"),
    "total": tr("Invalid recipients"), "level": tr("Level"), "harvest": tr("Tries addresses"),
    "refused": tr("Refused here"), "rejected": tr("Rejected there"), "reports": tr("Reports sent"),
    "addresses": tr("Different addresses"), "warned_at": tr("Warned at"), "limited_at": tr("Limited at"),
    "first_at": tr("First"), "last_at": tr("Latest"), "until": tr("Limited until"), "examples": tr("Examples"),
}  # fmt: skip
# columns that a spreadsheet has and a page has no room for
HIDDEN = {
    "queued": ("destination", "recipients", "bytes", "next_attempt_at"),
    "quota": ("reports", "addresses", "first_at"),
}
# words of ours that stand in cells
SAID = frozenset({"dimension", "level", "direction", "version"})


@router.get("/reports")
async def reports(
    request: Request,
    service: Use,
    visitor: Looking,
    report: str = "queued",
    since: str = "",
    form: str = "",
) -> Response:
    """Show one report as a table, or give it as CSV."""
    lang, spans = language_of(request), SPANS.get(report, ())
    since = since or ("24h" if report == "tls" else "7d")
    window = since if since in WINDOWS else "7d"
    makers: dict[str, Any] = {
        "queued": lambda: service.reports.queued(lang),
        "ndr": lambda: service.reports.ndr(since, ""),
        "connectors": lambda: service.reports.connectors(since),
        "domains": lambda: service.reports.domains(lang),
        "flow": lambda: service.reports.flow(FlowFilter(window)),
        "tls": lambda: service.encryption.report(window),
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
        columns=[c for c in found.columns if c not in HIDDEN.get(report, ())], times=TIMES, wide=WIDE, said=SAID, since=since, spans=spans,
    )  # fmt: skip
