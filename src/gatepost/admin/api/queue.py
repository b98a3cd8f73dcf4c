"""The queue by destination, and where an address goes."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field

from gatepost.admin.answers.queue import ActedJson, AuditJson, QueueRow, RouteJson
from gatepost.admin.api.app import Operator, Reader, Use
from gatepost.admin.api.described import DescribedRoute
from gatepost.admin.api.documentation import Body
from gatepost.admin.api.insights import lang_of
from gatepost.admin.queue import DestinationFilter
from gatepost.i18n import translator

router = APIRouter(tags=["queue"], route_class=DescribedRoute)
FILTER = "Terms that must all hold, of connector, destination, state, code, class, age, expires, attempts."


class Which(Body):
    """Which destinations; what is not given matches all."""

    connector: str = Field("", max_length=200, description="Name of a connector, `*` matches any characters.")
    destination: str = Field("", max_length=1000, description="Name, host or id of a destination.")
    state: str = Field("", max_length=20, description="ready, active, retry or suspended.")
    filter: str = Field("", max_length=2000, description=FILTER)
    dry_run: bool = Field(default=False, description="Only say what would happen.")

    def chosen(self) -> DestinationFilter:
        """Return the filter of the use cases."""
        return DestinationFilter(self.connector, self.destination, self.state, self.filter)


class Suspension(Which):
    """Which destinations to hold back, why, and until when."""

    reason: str = Field("", max_length=500)
    until: str = Field(
        "", max_length=40, description="A duration (4h) or a time (RFC 3339); empty: for good."
    )
    all: bool = Field(default=False, description="Needed where nothing is named, so that all are meant.")


@router.get("/queue")
async def queue(
    service: Use,
    _caller: Reader,
    connector: Annotated[str, Query(max_length=200)] = "",
    destination: Annotated[str, Query(max_length=1000)] = "",
    state: Annotated[str, Query(max_length=20)] = "",
    filter: Annotated[str, Query(max_length=2000, description=FILTER)] = "",  # noqa: A002 - the name in the URL
) -> list[QueueRow]:
    """Return what waits, destination by destination."""
    return await service.queue.rows(DestinationFilter(connector, destination, state, filter))


@router.post("/queue/retry")
async def retry(service: Use, _caller: Operator, which: Which) -> ActedJson:
    """Try destinations now."""
    return await service.queue.retry(which.chosen(), dry_run=which.dry_run)


@router.post("/queue/suspend")
async def suspend(service: Use, caller: Operator, which: Suspension) -> ActedJson:
    """Hold destinations back."""
    return await service.queue.suspend(
        which.chosen(),
        caller.name,
        which.reason,
        which.until,
        everything=which.all,
        dry_run=which.dry_run,
    )


@router.post("/queue/resume")
async def resume(service: Use, caller: Operator, which: Which) -> ActedJson:
    """End suspensions."""
    return await service.queue.resume(which.chosen(), caller.name, dry_run=which.dry_run)


@router.get("/queue/audit")
async def audit(service: Use, _caller: Reader) -> AuditJson:
    """Count the whole store again and compare it with the ledger."""
    return await service.queue.audit()


@router.get("/route/explain")
async def explain(
    request: Request, service: Use, _caller: Reader, address: Annotated[str, Query(max_length=400)]
) -> RouteJson:
    """Return where an address goes, and why, in the caller's language."""
    return service.route_explain(address, translator(lang_of(request)))
