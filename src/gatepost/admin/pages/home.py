"""The overview: is anything stuck, where, since when; what to look at first."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from gatepost.admin.api.app import Use
from gatepost.admin.insights import InsightFilter
from gatepost.admin.pages.door import Looking
from gatepost.admin.pages.render import language_of, page
from gatepost.admin.shapes import Json

router = APIRouter(include_in_schema=False)
TOP = 5
LAST_CHANGES = 6
SOON_MS = 4 * 3_600_000


async def overview(service: Any, lang: str) -> Json:
    """Return everything that the overview shows."""
    gateway = service.gateway
    rows = [row for row in await service.queue.rows() if row["kind"] != "mailbox" or row["messages"]]
    found = await service.insights.listed(InsightFilter(limit=TOP), lang)
    now = gateway.now()
    summaries = await gateway.store.destinations(gateway.expiry_of)
    waiting = [s for s in summaries if s.messages]
    expiring = sum(1 for s in waiting if 0 < s.oldest_expires_at <= now + SOON_MS)
    connectors = []
    by_name: dict[str, list[Json]] = {}
    for row in rows:
        by_name.setdefault(str(row["connector"]), []).append(row)
    insights = await service.insights.listed(InsightFilter(limit=200), lang)
    for connector in gateway.objects.connectors:
        mine = by_name.get(connector.name, [])
        trouble = [i for i in insights if i["connector"] == connector.name]
        connectors.append(
            {
                "name": connector.name,
                "to": connector.to,
                "enabled": connector.enabled,
                "state": "suspended"
                if not connector.enabled
                else str(trouble[0]["state"])
                if trouble
                else "ready",
                "sentence": trouble[0]["sentence"] if trouble else "",
                "messages": sum(int(str(row["messages"])) for row in mine),
                "oldest_at": min((str(r["oldest_at"]) for r in mine if r["oldest_at"]), default=None),
            }
        )
    alerts = await service.alerts.listed(lang, everything=False)
    return {
        "queued": sum(s.messages for s in waiting),
        "destinations": len(waiting),
        "oldest_at": min((str(row["oldest_at"]) for row in rows if row["oldest_at"]), default=None),
        "expiring": expiring,
        "firing": len(alerts),
        "insights": found,
        "connectors": connectors,
        "changes": (await service.objects.history(LAST_CHANGES)),
        "health": service.health(),
        "ready": service.ready(),
    }


@router.get("/")
async def home(request: Request, service: Use, visitor: Looking) -> HTMLResponse:
    """Show the overview."""
    data = await overview(service, language_of(request))
    return page(request, "home.html", visitor, data=data)
