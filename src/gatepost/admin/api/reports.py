"""Reports, as JSON or for spreadsheets."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from gatepost.admin.answers.reports import (
    CertificateReport,
    ConnectorReport,
    DomainReport,
    FlowMap,
    FlowReport,
    NdrReport,
    QueuedReport,
    QuotaReport,
    TlsReport,
)
from gatepost.admin.api.app import Reader, Use
from gatepost.admin.api.described import Answer, DescribedRoute
from gatepost.admin.api.documentation import media
from gatepost.admin.api.insights import lang_of
from gatepost.admin.flows import FlowFilter
from gatepost.admin.reports import Report

router = APIRouter(tags=["reports"], route_class=DescribedRoute)
AsQueued = Annotated[Response, Answer(QueuedReport)]
AsNdr = Annotated[Response, Answer(NdrReport)]
AsConnectors = Annotated[Response, Answer(ConnectorReport)]
AsFlow = Annotated[Response, Answer(FlowReport)]
AsQuota = Annotated[Response, Answer(QuotaReport)]
AsDomains = Annotated[Response, Answer(DomainReport)]
AsCertificates = Annotated[Response, Answer(CertificateReport)]
AsTls = Annotated[Response, Answer(TlsReport)]
Format = Annotated[str, Query(pattern="^(json|csv)$", description="json or csv (RFC 4180).")]
Node = Annotated[str, Query(max_length=1000, description="Only what goes through this node of the map.")]
CSV = media("text/csv", description="The report, as JSON or as CSV.")
Time = Annotated[str, Query(max_length=40, description="A duration before now (7d) or a time.")]


def answer(report: Report, form: str) -> Response:
    """Return a report in the form that was asked for."""
    if form == "json":
        return JSONResponse(report.to_json())
    name = f'attachment; filename="gatepost-{report.name}.csv"'
    return Response(
        report.to_csv(),
        media_type="text/csv; charset=utf-8; header=present",
        headers={"Content-Disposition": name},
    )


@router.get("/reports/queued", responses=CSV)
async def queued(request: Request, service: Use, _caller: Reader, format: Format = "json") -> AsQueued:  # noqa: A002
    """Return what waits, by connector and destination."""
    return answer(await service.reports.queued(lang_of(request)), format)


@router.get("/reports/ndr", responses=CSV)
async def ndr(
    service: Use,
    _caller: Reader,
    since: Time = "",
    until: Time = "",
    format: Format = "json",  # noqa: A002
) -> AsNdr:
    """Return what was returned to senders, by day and code."""
    return answer(await service.reports.ndr(since, until), format)


@router.get("/reports/connectors", responses=CSV)
async def connectors(
    service: Use,
    _caller: Reader,
    since: Time = "",
    format: Format = "json",  # noqa: A002
) -> AsConnectors:
    """Return how connectors fare."""
    return answer(await service.reports.connectors(since), format)


@router.get("/reports/flow", responses=CSV)
async def flow(
    service: Use,
    _caller: Reader,
    window: Annotated[str, Query(max_length=10, description="1h, 4h, 24h or 7d.")] = "24h",
    format: Format = "json",  # noqa: A002
) -> AsFlow:
    """Return how many recipients went which way: source, accepted domain, connector, destination, outcome."""
    return answer(await service.reports.flow(FlowFilter(window)), format)


@router.get("/flow")
async def mail_flow(
    service: Use,
    _caller: Reader,
    window: Annotated[str, Query(max_length=10, description="1h, 4h, 24h or 7d.")] = "24h",
    source: Node = "",
    domain: Node = "",
    connector: Node = "",
    destination: Node = "",
    outcome: Node = "",
) -> FlowMap:
    """Return the map of mail flow: its nodes, its links, and the rows behind them."""
    return await service.flows.map(FlowFilter(window, source, domain, connector, destination, outcome))


@router.get("/reports/quota", responses=CSV)
async def quota(
    service: Use,
    _caller: Reader,
    dimension: Annotated[str, Query(max_length=20, description="One of the dimensions; empty: all.")] = "",
    format: Format = "json",  # noqa: A002
) -> AsQuota:
    """Return who named how many recipients that do not exist, the worst first."""
    return answer(await service.reports.quota(dimension), format)


@router.get("/reports/certificates", responses=CSV)
async def certificates(
    service: Use,
    _caller: Reader,
    within: Annotated[str, Query(max_length=40, description="Only those that end within (30d).")] = "",
    format: Format = "json",  # noqa: A002
) -> AsCertificates:
    """Return every certificate of servers and of our own listeners, those that end first at the top."""
    return answer(await service.certificates.report(within), format)


@router.get("/reports/tls", responses=CSV)
async def tls(
    service: Use,
    _caller: Reader,
    window: Annotated[str, Query(max_length=10, description="1h, 4h, 24h or 7d.")] = "24h",
    format: Format = "json",  # noqa: A002
) -> AsTls:
    """Return how much mail travelled under TLS, by source or connector, domain and version."""
    return answer(await service.encryption.report(window), format)


@router.get("/reports/domains", responses=CSV)
async def domains(request: Request, service: Use, _caller: Reader, format: Format = "json") -> AsDomains:  # noqa: A002
    """Return where the mail of our accepted domains goes, and whether it arrives."""
    return answer(await service.reports.domains(lang_of(request)), format)
