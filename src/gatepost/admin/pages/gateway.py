"""The gateway itself: its nodes, every certificate that was seen, how reports to senders look."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from gatepost.admin.api.app import Use
from gatepost.admin.errors import AdminError
from gatepost.admin.ndr import CLASSES, KINDS, SENDER, Wanted
from gatepost.admin.pages.door import Looking
from gatepost.admin.pages.render import language_of, page, say_of
from gatepost.diagnose.catalogue import explain

router = APIRouter(include_in_schema=False)
SPANS = ("", "7d", "30d", "90d")
SOON_DAYS = 30
Text = Annotated[str, Query(max_length=320)]


@router.get("/certificates")
async def certificates(request: Request, service: Use, visitor: Looking, within: Text = "") -> Response:
    """Show every certificate, those that end first at the top."""
    report = await service.certificates.report(within)
    everything = report if not within else await service.certificates.report()
    return page(
        request, "certificates.html", visitor, rows=list(report.rows), within=within, spans=SPANS,
        sums=_sums(list(everything.rows)),
    )  # fmt: skip


def _sums(rows: list[Any]) -> dict[str, int]:
    ended = sum(row["ended"] for row in rows)
    soon = sum(not row["ended"] and row["days_left"] < SOON_DAYS for row in rows)
    bad = sum(bool(row["verdict"]) and not row["ended"] for row in rows)
    return {"all": len(rows), "ended": ended, "soon": soon, "bad": bad}


@router.get("/nodes")
async def nodes(request: Request, service: Use, visitor: Looking, doctor: str = "") -> Response:
    """Show how each node is; with `doctor` examine this one, for which it may wait for a resolver."""
    found = await service.doctor(say_of(request), audit=False) if doctor else None
    return page(request, "nodes.html", visitor, nodes=await service.nodes.listed(), doctor=found)


@router.get("/ndr")
async def ndr(
    request: Request,
    service: Use,
    visitor: Looking,
    failure_class: Text = "connection_refused",
    kind: Text = "failure",
    language: Text = "",
    sender: Text = SENDER,
    to: Text = "on-premises",
) -> Response:
    """Show how a report to a sender looks; nothing is sent."""
    lang, wanted = language_of(request), Wanted(failure_class, kind, language, sender.strip(), to)
    found, error, status = None, "", 200
    try:
        found = service.ndr.preview(wanted)
    except AdminError as problem:
        error, status = problem.text(say_of(request)), problem.status
    settings = service.gateway.settings.ndr
    return page(
        request, "ndr.html", visitor, status=status, wanted=wanted, found=found, error=error, kinds=tuple(KINDS),
        classes=[(str(c), explain(c, lang).title) for c in CLASSES], default=settings.language,
        languages=dict(settings.languages),
    )  # fmt: skip
