"""The overview: is anything stuck, where, since when, what to look at first; and the map of mail flow."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from gatepost.admin.api.app import Use
from gatepost.admin.flows import COLUMNS, WINDOWS, FlowFilter, of_query
from gatepost.admin.insights import InsightFilter
from gatepost.admin.pages.door import Looking
from gatepost.admin.pages.render import language_of, page
from gatepost.admin.shapes import Json
from gatepost.i18n import tr

router = APIRouter(include_in_schema=False)
TOP = 5
LAST_CHANGES = 6
SOON_MS = 4 * 3_600_000
MAP_ROWS = 200
Text = Annotated[str, Query(max_length=1000)]


async def overview(service: Any, lang: str) -> Json:
    """Return everything that the overview shows."""
    gateway = service.gateway
    rows = await service.queue.rows()
    insights = await service.insights.listed(InsightFilter(limit=200), lang)
    soon = gateway.now() + SOON_MS
    summaries = await gateway.store.destinations(gateway.expiry_of)
    waiting = [s for s in summaries if s.messages]
    return {
        "queued": sum(s.messages for s in waiting),
        "destinations": len(waiting),
        "oldest_at": min((str(row["oldest_at"]) for row in rows if row["oldest_at"]), default=None),
        "expiring": sum(1 for s in waiting if 0 < s.oldest_expires_at <= soon),
        "firing": len(await service.alerts.listed(lang, everything=False)),
        "broken_since": min((str(insight["opened_at"]) for insight in insights), default=None),
        "expires_at": min(
            (str(row["oldest_expires_at"]) for row in rows if row["oldest_expires_at"]), default=None
        ),
        "open_insights": len(insights),
        "insights": insights[:TOP],
        "connectors": health_of(gateway.objects.connectors, rows, insights),
        "steps": first_steps(gateway, delivered=service.flows.delivered_ever()),
        "changes": await service.objects.history(LAST_CHANGES),
        "lately": service.flows.lately(),
        "encryption": service.encryption.lately(),
        "nodes": await service.nodes.listed(),
        "health": service.health(),
        "ready": service.ready(),
    }


STEPS = (
    ("connector", tr("Say where mail goes: add a connector"), "/connectors/new"),
    ("delivered", tr("Send a test message and see it arrive"), "/diagnostics"),
    ("domain", tr("Name the domains that are yours"), "/domains/new"),
    ("source", tr("Say who may hand mail in: add a source"), "/sources/new"),
    ("channel", tr("Say who is told when mail is stuck: add a channel"), "/channels/new"),
)


def first_steps(gateway: Any, delivered: bool) -> list[Json]:
    """Return what a new gateway needs, and whether it has it; empty once it has all."""
    objects = gateway.objects
    has = {
        "connector": bool(objects.connectors),
        "delivered": delivered,
        "domain": bool(objects.domains),
        "source": bool(objects.sources),
        "channel": bool(objects.channels),
    }
    steps: list[Json] = [{"title": title, "where": where, "done": has[name]} for name, title, where in STEPS]
    return [] if all(has.values()) else steps


def health_of(connectors: Any, rows: list[Json], insights: list[Json]) -> list[Json]:
    """Return each connector with its worst insight, since when that is, and what waits; the sick ones first."""
    found: list[Json] = []
    for connector in connectors:
        trouble = next((i for i in insights if i["connector"] == connector.name), None)
        mine = [row for row in rows if row["connector"] == connector.name]
        held = any(row["state"] == "suspended" for row in mine)
        state = "suspended" if held or not connector.enabled else "ready"
        found.append(
            {
                "name": connector.name,
                "to": connector.to,
                "enabled": connector.enabled,
                "state": state if trouble is None else "failing",
                "code": trouble["code"] if trouble else "",
                "title": trouble["title"] if trouble else "",
                "severity": trouble["severity"] if trouble else "",
                "insight": trouble["number"] if trouble else "",
                "since": trouble["opened_at"] if trouble else None,
                "sentence": trouble["sentence"] if trouble else "",
                "messages": sum(int(str(row["messages"])) for row in mine),
            }
        )
    order = {"failing": 0, "suspended": 1, "ready": 2}
    return sorted(found, key=lambda c: (order[str(c["state"])], -int(str(c["messages"])), str(c["name"])))


@router.get("/")
async def home(request: Request, service: Use, visitor: Looking) -> Response:
    """Show the overview."""
    data = await overview(service, language_of(request))
    flow = await service.flows.map(FlowFilter())
    return page(request, "home.html", visitor, data=data, flow=flow, course=service.flows.course())


@router.get("/map")
async def mail_flow(
    request: Request,
    service: Use,
    visitor: Looking,
    window: Text = "24h",
    source: Text = "",
    domain: Text = "",
    connector: Text = "",
    destination: Text = "",
    outcome: Text = "",
) -> Response:
    """Show which way mail went: source, accepted domain, connector, destination, outcome."""
    which = of_query(
        {"window": window, "source": source, "domain": domain, "connector": connector, "destination": destination,
         "outcome": outcome}
    )  # fmt: skip
    data: Any = await service.flows.map(which)
    return page(
        request,
        "map.html",
        visitor,
        data=data,
        rows=data["rows"][:MAP_ROWS],
        windows=list(WINDOWS),
        columns=COLUMNS,
    )
