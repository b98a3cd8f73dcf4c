"""Who looked at the content of which mail: written down before anything is shown.

Rule: one entry for a caller, a message and a quarter of an hour; an export of many messages is one entry.
"""

from gatepost.admin.answers.audit import LookJson
from gatepost.admin.gateway import Gateway
from gatepost.model.document import Document
from gatepost.model.failure import iso
from gatepost.storage.interface import Change

LOOK = "look"
QUARTER = 15 * 60_000  # ms


class Looks:
    """Writes looks down, and lists them."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._quarter = 0
        self._noted: set[str] = set()  # of this quarter of an hour

    def at_message(self, message: str, who: str) -> None:
        """Note a look at the content of a message."""
        self._gateway.say("message.read", message_id=message, by=who)
        now = self._gateway.now()
        if now // QUARTER != self._quarter:
            self._quarter = now // QUARTER
            self._noted.clear()
        key = f"{self._quarter}/{who}/{message}"
        if key not in self._noted:
            self._noted.add(key)
            self._write(key, now, {"who": who, "what": "content", "message": message, "messages": 1})

    def at_many(self, which: str, who: str, began: int, messages: int) -> None:
        """Note an export of what a filter means, when it begins (0 messages) and when it ends."""
        self._gateway.say("messages.exported", filter=which, by=who, messages=messages)
        data: dict[str, object] = {"who": who, "what": "export", "filter": which, "messages": messages}
        self._write(f"{began // QUARTER}/{who}/export/{began}", began, data)

    def _write(self, key: str, at: int, data: dict[str, object]) -> None:
        self._gateway.write(Change(documents=(Document(LOOK, key, at, data),)))

    async def listed(self, limit: int) -> list[LookJson]:
        """Return looks, newest first."""
        found = await self._gateway.store.documents(LOOK, limit=limit)
        return [_look_json(document) for document in found]


def _look_json(document: Document) -> LookJson:
    data = document.data or {}
    count = data.get("messages")
    return {
        "at": iso(document.at),
        "who": str(data.get("who", "")),
        "what": str(data.get("what", "")),
        "message": str(data.get("message", "")),
        "filter": str(data.get("filter", "")),
        "messages": count if isinstance(count, int) else 0,
    }
