"""Actions on any set of queued mail, as people and programs use them: preview, progress, stop, undo (B5)."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace

from gatepost.admin.answers.messages import CancelledJson, CancelStep, JobJson, JobRow
from gatepost.admin.auth import Caller
from gatepost.admin.errors import Conflict, Invalid, NotFound, tr
from gatepost.admin.gateway import Gateway
from gatepost.admin.messages import MessageQuery
from gatepost.admin.queue import Place, QueueUseCases
from gatepost.admin.shapes import Json, when
from gatepost.fix.bulk import BULK
from gatepost.fix.edit import BadFix
from gatepost.flow.jobs import Order
from gatepost.i18n import Translator
from gatepost.model.ids import to_text
from gatepost.model.job import RUNNING, Job

WAIT = 2.0  # seconds that an answer waits for a job to end
LONGEST_WAIT = 20.0
Places = Mapping[str, Place]
STEP = 0.5  # seconds between two words on how far a job is


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants done with which mail; `everything` is needed where nothing is named."""

    action: str
    query: MessageQuery
    parameters: Mapping[str, object] = field(default_factory=dict)
    reason: str = ""
    via: str = "api"
    everything: bool = False
    dry_run: bool = False
    typed: str | None = None  # how many recipients end for good, typed by whoever was asked


class JobUseCases:
    """What can be asked of and done with jobs."""

    def __init__(self, gateway: Gateway, queue: QueueUseCases) -> None:
        self._gateway = gateway
        self._queue = queue

    async def start(self, wanted: Wanted, caller: Caller, say: Translator, wait: float = WAIT) -> JobJson:
        """Begin a job, or the preview of one; a short one has ended in the answer."""
        if not wanted.dry_run:
            caller.need("operate")
        if wanted.typed is not None and not wanted.dry_run:
            await self._agreed(wanted, caller.name)
        job = await self._started(wanted, caller.name)
        return await self._json(await self._gateway.jobs.wait(job, min(wait, LONGEST_WAIT)), say)

    async def _started(self, wanted: Wanted, who: str) -> Job:
        which = wanted.query.filtered()
        if which.empty and not wanted.everything:
            raise Invalid(tr("This would touch every message: name ids or a filter, or say all."))
        order = Order(
            wanted.action, which, wanted.parameters, who, wanted.via, wanted.reason[:500], wanted.dry_run
        )
        try:
            return await self._gateway.jobs.start(order)
        except BadFix as problem:
            raise Invalid(problem.text, (), **problem.values) from None

    async def _agreed(self, wanted: Wanted, who: str) -> None:
        """Raise `Invalid` where mail would end for good and whoever asks has not typed how much."""
        preview = await self._started(replace(wanted, dry_run=True), who)
        ends = (await self._gateway.jobs.wait(preview, LONGEST_WAIT)).counts.recipients
        if BULK[wanted.action].destructive and (wanted.typed or "").strip() != str(ends):
            raise Invalid(tr("This ends {n} recipients for good: type {n} to go on."), n=ends)

    async def cancel(
        self, query: MessageQuery, who: str, *, ndr: bool, everything: bool, dry_run: bool
    ) -> CancelledJson:
        """End messages for good, with a report to their senders or without a word; return the counts."""
        found: CancelStep = {}
        async for step in self.cancelling(query, who, ndr=ndr, everything=everything, dry_run=dry_run):
            found = step
        return found["result"]

    async def cancelling(
        self, query: MessageQuery, who: str, *, ndr: bool, everything: bool, dry_run: bool
    ) -> AsyncGenerator[CancelStep, None]:
        """As `cancel`, and tell how far it is: `{"progress": {"done", "of"}}`, `{"result": ...}` last.

        Raises before the first step where it makes no sense; the job goes on when nobody listens any more.
        """
        action = "return_now" if ndr else "delete"
        job = await self._started(Wanted(action, query, everything=everything, dry_run=dry_run), who)
        while job.state == RUNNING:
            yield {"progress": {"done": job.counts.looked_at, "of": job.counts.to_look_at}}
            job = await self._gateway.jobs.wait(job, STEP)
        yield {"result": await self._cancelled(job, ndr=ndr)}

    async def _cancelled(self, job: Job, *, ndr: bool) -> CancelledJson:
        counts = job.counts
        return {
            "dry_run": job.dry_run,
            "ndr": ndr,
            "messages": counts.messages,
            "recipients": counts.recipients,
            "ended": counts.done,
            "under_way": counts.under_way,
            "reports": counts.reports if ndr else 0,
            "bytes": counts.octets,
            "rows": _rows(job, await self._places()),
            "job": to_text(job.id),
            "state": job.state,
        }

    async def _find(self, number: str) -> Job:
        job = await self._gateway.jobs.find(number)
        if job is None:
            raise NotFound(tr("There is no job {id}: see gatepost job list."), id=number)
        return job

    async def show(self, number: str, say: Translator, wait: float = 0.0) -> JobJson:
        """Return a job, at the latest when it has ended or after so many seconds."""
        job = await self._find(number)
        return await self._json(await self._gateway.jobs.wait(job, min(wait, LONGEST_WAIT)), say)

    async def listed(self, limit: int, say: Translator) -> list[JobJson]:
        """Return jobs, newest first."""
        places = await self._places()
        return [job_json(job, places, say) for job in await self._gateway.jobs.listed(limit)]

    async def stop(self, number: str, caller: Caller, say: Translator) -> JobJson:
        """Stop a job that runs; what it has done so far stays done."""
        job = await self._find(number)
        try:
            return await self._json(await self._gateway.jobs.halt(job, caller.name), say)
        except BadFix as problem:
            raise Conflict(problem.text, (), **problem.values) from None

    async def undo(self, number: str, caller: Caller, say: Translator) -> JobJson:
        """Put back what a job changed, where the mail still waits."""
        job = await self._find(number)
        try:
            return await self._json(await self._gateway.jobs.undo(job, caller.name), say)
        except BadFix as problem:
            raise Conflict(problem.text, (), **problem.values) from None

    async def _places(self) -> Places:
        return {str(place.id): place for place in await self._queue.places()}

    async def _json(self, job: Job, say: Translator) -> JobJson:
        return job_json(job, await self._places(), say)


def _rows(job: Job, places: Places) -> list[JobRow]:
    found = [(places.get(number), n) for number, n in job.counts.places.items()]
    return [
        {"connector": p.summary.state.connector, "destination": p.name, "messages": n}
        for p, n in found
        if p is not None
    ]


def job_json(job: Job, places: Places, say: Translator) -> JobJson:
    """Return a job with how far it is; `places` are the destinations by their number as a text."""
    action, counts = BULK[job.action], job.counts
    return {
        "id": to_text(job.id),
        "action": job.action,
        "title": say(action.title),
        "does": say(action.does),
        "filter": job.filter,
        "parameters": {**job.parameters, **_time_of(job)},
        "who": job.who,
        "via": job.via,
        "reason": job.reason,
        "at": when(job.at),
        "dry_run": job.dry_run,
        "state": job.state,
        "problem": job.problem,
        "progress": round(counts.looked_at / counts.to_look_at, 4) if counts.to_look_at else 1.0,
        "looked_at": counts.looked_at,
        "to_look_at": counts.to_look_at,
        "messages": counts.messages,
        "recipients": counts.recipients,
        "done": counts.done,
        "under_way": counts.under_way,
        "reports": counts.reports if job.action == "return_now" else 0,
        "bytes": counts.octets,
        "known": counts.known,
        "unknown": counts.unknown,
        "fate": action.fate,
        "samples": list(counts.samples),
        "rows": _rows(job, places),
        "undo": action.undo,
        "destructive": action.destructive,
        "ends_at": when(job.ends_at),
        "finished_at": when(job.finished_at),
        "undone_at": when(job.undone_at),
        "undone_by": job.undone_by,
    }


def _time_of(job: Job) -> Json:
    until = job.parameters.get("until")
    return {"until": when(until)} if isinstance(until, int) else {}
