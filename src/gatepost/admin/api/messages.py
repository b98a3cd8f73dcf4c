"""Messages that wait and messages of the past."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from gatepost.admin.api.app import Operator, Reader, Use
from gatepost.admin.messages import MessageQuery, number_of, past
from gatepost.storage.interface import TraceFilter

router = APIRouter(tags=["messages"])
Json = dict[str, Any]
Text = Annotated[str, Query(max_length=1000)]
Maybe = Annotated[str | None, Query(max_length=1000)]
Limit = Annotated[int, Query(ge=1, le=1000)]


class Cancel(BaseModel):
    """Which messages to end: by id, by filter, or all."""

    ids: list[str] = Field(default_factory=list, max_length=10_000)
    connector: str = Field("", max_length=200)
    destination: str = Field("", max_length=1000)
    sender: str | None = Field(None, max_length=1000, description="An empty text means the null sender.")
    recipient: str = Field("", max_length=1000, description="An address, or @domain.")
    code: str = Field("", max_length=20)
    state: str = Field("", max_length=20)
    older_than: str = Field("", max_length=20, description="A duration: 4h.")
    all: bool = Field(default=False, description="Needed where nothing is named, so that all are meant.")
    ndr: bool = Field(default=True, description="Whether the senders get a report.")
    dry_run: bool = False

    def query(self) -> MessageQuery:
        """Return the query of the use cases."""
        return MessageQuery(
            self.connector,
            self.destination,
            self.sender,
            self.recipient,
            self.code,
            self.state,
            self.older_than,
            tuple(self.ids),
        )


@router.get("/messages")
async def listed(
    service: Use,
    _caller: Reader,
    connector: Text = "",
    destination: Text = "",
    sender: Maybe = None,
    recipient: Text = "",
    code: Text = "",
    state: Text = "",
    older_than: Text = "",
    limit: Limit = 100,
    after: Text = "",
) -> Json:
    """Return queued messages, oldest first at each destination; `next` leads to the next page."""
    query = MessageQuery(connector, destination, sender, recipient, code, state, older_than)
    return await service.messages.listed(query, limit, after)


@router.post("/messages/cancel")
async def cancel(service: Use, caller: Operator, which: Cancel) -> Json:
    """End messages for good."""
    return await service.messages.cancel(
        which.query(), caller.name, ndr=which.ndr, everything=which.all, dry_run=which.dry_run
    )


@router.get("/messages/{message_id}")
async def show(service: Use, _caller: Reader, message_id: str) -> Json:
    """Return a message with recipients, events and all attempts."""
    return await service.messages.show(message_id)


@router.get("/messages/{message_id}/content", response_class=StreamingResponse)
async def content(service: Use, _caller: Operator, message_id: str) -> StreamingResponse:
    """Return the content of a queued message as an .eml file."""
    pieces = await service.messages.content(message_id)
    name = f'attachment; filename="{number_of(message_id)}.eml"'
    headers = {"Content-Disposition": name, "Content-Security-Policy": "sandbox"}
    return StreamingResponse(pieces, media_type="message/rfc822", headers=headers)


@router.get("/trace")
async def trace(
    service: Use,
    _caller: Reader,
    sender: Maybe = None,
    recipient: Text = "",
    header_id: Text = "",
    source: Text = "",
    destination: Text = "",
    state: Text = "",
    since: Text = "",
    until: Text = "",
    limit: Limit = 100,
    before: Text = "",
) -> Json:
    """Return messages of the past and present, newest first; `next` leads to the next page (`before`)."""
    now = service.gateway.now()
    which = TraceFilter(
        since=past(since, now),
        until=past(until, now),
        sender=sender,
        recipient=recipient,
        header_id=header_id,
        source=source,
        destination_id=await service.messages.destination_id(destination) if destination else 0,
        state=state,
        before=number_of(before) if before else 0,
    )
    return await service.messages.trace(which, limit)
