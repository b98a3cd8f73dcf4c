"""Alerts, silences, policies in force, notices."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field

from gatepost.admin.answers.alerts import (
    AlertDetail,
    AlertJson,
    AlertRow,
    ChannelTest,
    EndedJson,
    NoticeJson,
    PolicyInForce,
    SilenceJson,
)
from gatepost.admin.api.app import Administrator, Operator, Reader, Use
from gatepost.admin.api.described import DescribedRoute
from gatepost.admin.api.documentation import Body
from gatepost.i18n import accepted

router = APIRouter(tags=["alerts"], route_class=DescribedRoute)
Limit = Annotated[int, Query(ge=1, le=1000)]


class SilenceRequest(Body):
    """What is silenced, until when, and why."""

    policy: str = Field("", max_length=100, description="Name of a policy, `*` matches anything; empty: all.")
    connector: str = Field("", max_length=200)
    until: str = Field(max_length=40, description="A duration (4h) or a time (RFC 3339).")
    reason: str = Field(max_length=500)


def language(request: Request) -> str:
    """Return the language that the caller prefers."""
    return accepted(request.headers.get("accept-language", ""))


@router.get("/alerts")
async def listed(
    request: Request,
    service: Use,
    _caller: Reader,
    all: bool = False,  # noqa: A002 - the name that people write
    limit: Limit = 100,
) -> list[AlertRow]:
    """Return what fires; with `all` also what is over."""
    return await service.alerts.listed(language(request), everything=all, limit=limit)


@router.get("/alerts/silences")
async def silences(service: Use, _caller: Reader) -> list[SilenceJson]:
    """Return what is silenced."""
    return service.alerts.silences()


@router.post("/alerts/silences")
async def silence(service: Use, caller: Operator, wanted: SilenceRequest) -> SilenceJson:
    """Keep notices back for a while."""
    return service.alerts.silence(wanted.policy, wanted.connector, wanted.until, wanted.reason, caller.name)


@router.delete("/alerts/silences/{silence}")
async def unsilence(service: Use, caller: Operator, silence: str) -> EndedJson:
    """End a silence."""
    return service.alerts.unsilence(silence, caller.name)


@router.get("/alerts/notices")
async def notices(service: Use, _caller: Reader, limit: Limit = 100) -> list[NoticeJson]:
    """Return what was told to whom, with every try."""
    return await service.alerts.notices(limit)


@router.get("/alerts/policies")
async def policies(service: Use, _caller: Reader) -> list[PolicyInForce]:
    """Return the policies in force: those that are built in, and the objects over them."""
    return service.alerts.policies()


@router.get("/alerts/{alert}")
async def show(request: Request, service: Use, _caller: Reader, alert: str) -> AlertDetail:
    """Return an alert with its notices."""
    return await service.alerts.show(alert, language(request))


@router.post("/alerts/{alert}/acknowledge")
async def acknowledge(service: Use, caller: Operator, alert: str) -> AlertJson:
    """Note that somebody looks after an alert."""
    return await service.alerts.acknowledge(alert, caller.name)


@router.post("/channels/{name}/test")
async def test(service: Use, _caller: Administrator, name: str) -> ChannelTest:
    """Send a test notice."""
    return await service.alerts.test(name)
