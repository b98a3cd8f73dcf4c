"""Checks of destinations, stage by stage."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from gatepost.admin.api.app import Operator, Reader, Use

router = APIRouter(tags=["checks"])
Json = dict[str, Any]


class CheckBody(BaseModel):
    """What to check: one of connector, draft, smart_host, recipient."""

    connector: str = Field("", max_length=200)
    draft: dict[str, Any] | None = Field(None, description="A connector that is not saved.")
    smart_host: str = Field("", max_length=300)
    tls: str = Field("", max_length=40)
    tls_domain: str = Field("", max_length=255)
    recipient: str = Field("", max_length=320, description="Also MAIL and RCPT; never DATA.")


@router.post("/check")
async def check(service: Use, caller: Operator, wanted: CheckBody) -> Json:
    """Resolve, connect, banner, EHLO, STARTTLS, certificate, AUTH, and with a recipient MAIL and RCPT."""
    return await service.checks.check(
        caller,
        connector=wanted.connector,
        draft=wanted.draft,
        smart_host=wanted.smart_host,
        tls=wanted.tls,
        tls_domain=wanted.tls_domain,
        recipient=wanted.recipient,
    )


@router.get("/probes")
async def probes(
    service: Use, _caller: Reader, connector: Annotated[str, Query(max_length=200)]
) -> list[Json]:
    """Return the latest checks of a connector, newest first."""
    return await service.checks.kept(connector)
