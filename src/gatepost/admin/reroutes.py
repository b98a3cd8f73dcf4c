"""Who sent queued recipients another way, and why, wherever such mail is shown (B5)."""

from gatepost.admin.answers.queue import RerouteCount, RerouteJson
from gatepost.admin.gateway import Gateway
from gatepost.model.failure import iso
from gatepost.model.ids import born, to_text


class Reroutes:
    """Reads the jobs that hold mail where it is."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def of(self, job: int) -> RerouteJson | None:
        """Return what a job did with a recipient; None where it takes its own way (`job` 0)."""
        if not job:
            return None
        found = await self._gateway.jobs.find(to_text(job))
        return {
            "job": to_text(job),
            "by": found.who if found is not None else "",
            "connector": str(found.parameters.get("by", "")) if found is not None else "",
            "reason": found.reason if found is not None else "",
            "at": iso(found.at if found is not None else born(job)),
        }

    async def places(self) -> dict[int, list[RerouteCount]]:
        """Return how many recipients wait at destinations because somebody sent them there."""
        found: dict[int, list[RerouteCount]] = {}
        for row in await self._gateway.store.rerouted():
            reroute = await self.of(row.job)
            if reroute is not None:
                counted: RerouteCount = {**reroute, "recipients": row.recipients}
                found.setdefault(row.destination_id, []).append(counted)
        return found
