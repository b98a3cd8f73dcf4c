"""Keep the counts of mail flow: written down once a minute, read at the start; those of other processes every minute.

Guarantee: a crash loses the counts of a minute at most, and never a message; counting never waits for the disk.
"""

from collections.abc import Mapping

from gatepost.flow.journey import Journey
from gatepost.model.document import Document
from gatepost.storage.interface import Change
from gatepost.telemetry.flows import COARSE_MS, KEPT_MS, MINUTE_MS, Stretch, from_rows, rows

KIND = "flow"
PAGE = 500
OVERLAP_MS = 5 * MINUTE_MS  # how much later another process may have written than it said


class FlowKeeper:
    """The part of the process that keeps `world.flows`."""

    def __init__(self, journey: Journey) -> None:
        self._world = journey.world
        self._due = 0
        self._read_to = 0
        journey.world.flows.accepted_domain = self._accepted_domain

    def _accepted_domain(self, domain: str) -> str:
        return self._world.router.accepted_name(domain)

    async def restore(self) -> None:
        """Read what was counted, by whomever."""
        await self._read(self._world.now() - KEPT_MS[COARSE_MS], own=True)

    async def _read(self, since: int, *, own: bool) -> None:
        """Take stretches that were written since a time; our own only at the start, then we know better."""
        before: tuple[int, str] | None = None
        flows = self._world.flows
        self._read_to = self._world.now()
        while page := await self._world.store.documents(KIND, since=since, before=before, limit=PAGE):
            for document in page:
                stretch = Stretch.of(document.key)
                if document.data is not None and (own or not flows.mine(stretch)):
                    flows.stretches[stretch] = from_rows(_rows(document.data))
            if len(page) < PAGE:
                return
            before = (page[-1].at, page[-1].key)

    def tick(self, now: int) -> None:
        """Write down once a minute what changed, and hear of the others."""
        if now < self._due:
            return
        self._due = now + MINUTE_MS
        self._write(now)
        self._world.start(self._renew(now))

    def _write(self, now: int) -> None:
        flows = self._world.flows
        documents = tuple(
            Document(KIND, stretch.key, now, {"rows": rows(flows.stretches[stretch])})
            for stretch in flows.changes()
        )
        if documents:
            self._world.store.write(Change(documents=documents))

    async def _renew(self, now: int) -> None:
        await self._world.store.forget(KIND, now - KEPT_MS[COARSE_MS] - COARSE_MS)
        await self._read(self._read_to - OVERLAP_MS, own=False)

    async def stop(self) -> None:
        """Write down the last minute."""
        self._write(self._world.now())


def _rows(data: Mapping[str, object]) -> list[list[object]]:
    found = data.get("rows")
    return found if isinstance(found, list) else []
