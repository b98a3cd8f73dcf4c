"""Which code of a second factor was the last one of each user: kept in the store, so that a restart forgets none.

Guarantee: it is written before the session that the code opens, in the same order: whoever got in has left a mark.
"""

from gatepost.admin.gateway import Gateway
from gatepost.model.document import Document
from gatepost.storage.interface import Change

USED_CODE = "used_code"


class UsedCodes:
    """The period (RFC 6238) of the last code of each user; one up to it is not taken again."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._last: dict[str, int] = {}  # what may not be in the store yet

    async def last(self, user: str) -> int:
        """Return the period of a user's last code, 0 where there was none."""
        found = await self._gateway.store.document(USED_CODE, user)
        kept = (found.data or {}).get("period") if found is not None else None
        return max(self._last.get(user, 0), kept if isinstance(kept, int) else 0)

    def note(self, user: str, period: int) -> None:
        """Note that a user's code was used."""
        self._last[user] = period
        self._write(user, {"period": period})

    def forget(self, user: str) -> None:
        """Forget a user whose second factor is gone: the next one has a secret of its own."""
        self._last.pop(user, None)
        self._write(user, None)

    def _write(self, user: str, data: dict[str, object] | None) -> None:
        self._gateway.write(Change(documents=(Document(USED_CODE, user, self._gateway.now(), data),)))
