"""Answers about what people did: changes, fixes, actions on mail, looks at its content."""

from typing import Annotated

from typing_extensions import TypedDict

from gatepost.admin.answers.fields import at, says

KINDS = ("change", "fix", "action", "look")
LOOKS = ("content", "export")


class LookJson(TypedDict):
    """A look at the content of mail; several within a quarter of an hour at the same message are one."""

    at: Annotated[str, at("When.")]
    who: str
    what: Annotated[str, says("One message, or an export of many.", LOOKS)]
    message: Annotated[str, says("Id of the message; empty for an export.")]
    filter: Annotated[str, says("Which messages an export means; empty: all.")]
    messages: Annotated[int, says("Messages that were seen, as far as is known.", minimum=0)]


class AuditEntry(TypedDict):
    """One thing that somebody did."""

    at: Annotated[str, at("When.")]
    who: str
    via: Annotated[
        str, says("From where it was asked for: socket, api, page; empty where that was not noted.")
    ]
    kind: Annotated[str, says("What it was.", KINDS)]
    what: Annotated[str, says("What was done: add, change, remove, a fix, an action, content, export.")]
    subject: Annotated[str, says("To what: an object, a connector, a filter, a message.")]
    reason: Annotated[str, says("Why; empty where nobody said.")]
    reference: Annotated[str, says("Revision of the objects, or id of the fix, job or message.")]
