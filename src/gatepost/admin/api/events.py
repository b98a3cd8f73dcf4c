"""Live changes, as server-sent events."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from gatepost.admin.answers.events import Events
from gatepost.admin.api.app import Reader, Use
from gatepost.admin.api.described import EVENTS, Answer, DescribedRoute
from gatepost.admin.api.documentation import media

router = APIRouter(tags=["events"], route_class=DescribedRoute)


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses=media(EVENTS, description="Events until the listener goes."),
)
async def events(service: Use, _caller: Reader) -> Annotated[StreamingResponse, Answer(Events, (EVENTS,))]:
    """Stream what changes: `insight`, `queue`, `changed` (by somebody); `lost`: the reader was too slow."""
    service.events.check()
    headers = {"X-Accel-Buffering": "no"}  # a proxy that collects answers would keep these back
    return StreamingResponse(service.events.stream(), media_type=EVENTS, headers=headers)
