"""How a field of an answer is described: `Annotated[int, says("How many wait.")]`."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from gatepost.model.failure import FailureClass

CLASSES = tuple(str(failure_class) for failure_class in FailureClass)
FLOW_CODES = ("4.4.312", "4.4.315", "4.4.316", "4.4.317", "4.4.318", "4.7.320", "other")


def says(description: str, words: Iterable[str | None] = (), **schema: Any) -> Any:
    """Return what a field says of itself; `words` are all that it can be."""
    enum: dict[str, Any] = {"enum": [None if word is None else str(word) for word in words]} if words else {}
    return Field(description=description, json_schema_extra={**enum, **schema} or None)


def at(description: str) -> Any:
    """Return what a field with a time says: RFC 3339 in UTC."""
    return says(description, format="date-time")


DryRun = Annotated[bool, says("Whether this only says what would happen.")]
ConnectorName = Annotated[str, says("Name of the connector; empty where there is none.")]
DestinationName = Annotated[
    str, says("What people call the destination: its smart hosts, domain or `mailboxes`.")
]
DestinationId = Annotated[
    str, says("Number of the destination, as a text; empty or `0` where there is none.")
]
MessageId = Annotated[str, says("Id of the message: 13 letters and digits.", minLength=13, maxLength=13)]
Class = Annotated[str, says("Class of the failure.", CLASSES)]
Parameters = Annotated[dict[str, Any], says("Parameters by name, as the action takes them.")]
Octets = Annotated[int, says("Size in octets.", minimum=0)]
