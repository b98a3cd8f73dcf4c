"""Jobs: one action on any set of queued mail, page by page, with progress, resumable, and undone (B5).

Guarantee: what a page changes, its record and the place where the job goes on are one transaction; where mail ends or
moves, the page is planned in one transaction and its outcome is looked up after a crash, so nothing is done or counted
twice, and a job that was cut off goes on at the next start.
Rule: a job touches what was accepted before it was asked for; what is on a connection just then is left alone.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from gatepost.fix.bulk import BULK, STEPWISE, checked
from gatepost.fix.edit import BadFix
from gatepost.fix.filter import Filter, parse_filter
from gatepost.flow.job_moves import JobMoves
from gatepost.flow.job_pages import counted, undoing_updates, updates_of
from gatepost.flow.job_records import KIND, PART, Row, document_of, job_of, part_key, part_of, rows_of
from gatepost.flow.journey import Journey
from gatepost.flow.searching import Around, Hit, Place, search, worth_looking
from gatepost.flow.writing import written
from gatepost.i18n import tr
from gatepost.model.document import Document
from gatepost.model.ids import first_of, to_text
from gatepost.model.job import RUNNING, Counts, Job
from gatepost.storage.interface import Change, Event

PAGE = 200  # messages
AT_ONCE = 4  # jobs
KEPT_PREVIEWS = 50
WHATEVER_LONG = 1 << 40  # it was accepted once
KEPT = 30 * 86_400_000
ENDED = frozenset({"returned", "cancelled", "failed"})


class Hands(Protocol):
    """What a job does to mail beside writing rows."""

    async def cancel(
        self, destination_id: int, message_id: int, recipients: Sequence[int], who: str, *, ndr: bool
    ) -> int:
        """End recipients of a message for good; return how many ended."""


@dataclass(frozen=True, slots=True)
class Order:
    """A job that somebody asks for."""

    action: str
    which: Filter
    parameters: Mapping[str, object]
    who: str
    via: str = "api"
    reason: str = ""
    dry_run: bool = False


Places = Callable[[], Awaitable[Sequence[Place]]]


class Jobs:
    """Runs jobs: a Part of `flow.intelligence`."""

    def __init__(self, journey: Journey, hands: Hands, places: Places) -> None:
        self._journey = journey
        self._world = journey.world
        self._hands = hands
        self._places = places
        self._live: dict[int, Job] = {}  # running, and the previews of late
        self._ending: dict[int, Job] = {}  # done, and undone by themselves at a time
        self._ended: dict[int, asyncio.Event] = {}
        self._moves = JobMoves(journey)
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._stopping = False
        self.changed: Callable[[Job], None] = lambda job: None

    # ---------------------------------------------------------------- look

    async def find(self, number: str) -> Job | None:
        """Return a job by its id."""
        live = next((job for job in self._live.values() if to_text(job.id) == number.upper()), None)
        if live is not None:
            return live
        document = await self._journey.store.document(KIND, number.upper())
        return job_of(document) if document is not None else None

    async def listed(self, limit: int = 100) -> list[Job]:
        """Return jobs, newest first; previews are none."""
        found = [job_of(d) for d in await self._journey.store.documents(KIND, limit=limit)]
        return [self._live.get(job.id, job) for job in found]

    async def wait(self, job: Job, seconds: float) -> Job:
        """Return a job as it is when it has ended, or after a while."""
        ended = self._ended.get(job.id)
        if ended is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), seconds)
        return self._live.get(job.id) or await self.find(to_text(job.id)) or job

    # ---------------------------------------------------------------- begin and end

    async def start(self, order: Order) -> Job:
        """Begin a job, or the preview of one; raises `BadFix`."""
        now = self._journey.now()
        parameters = checked(order.action, order.parameters, self._world.objects, now)
        looked_at = worth_looking(await self._places(), order.which)
        job = Job(
            id=self._world.new_id(),
            action=order.action,
            filter=order.which.text,
            parameters=parameters,
            who=order.who,
            via=order.via,
            reason=order.reason,
            at=now,
            dry_run=order.dry_run,
            counts=Counts(to_look_at=sum(p.summary.messages for p in looked_at)),
            ends_at=int(str(parameters.get("until", 0))) if order.action == "suspend" else 0,
        )
        if not order.dry_run:
            await self._write(Change(documents=(document_of(job),)))
            self._say("job.started", job)
        self._begin(job, self._run(job, order.which))
        return job

    def _begin(self, job: Job, work: Awaitable[None]) -> None:
        self._live[job.id] = job
        self._ended[job.id] = asyncio.Event()
        previews = [j.id for j in self._live.values() if j.dry_run and j.state != RUNNING]
        for old in previews[:-KEPT_PREVIEWS]:
            self._live.pop(old, None)
        self._world.start(self._guarded(job.id, work))

    async def _guarded(self, number: int, work: Awaitable[None]) -> None:
        try:
            async with self._turn:
                await work
        except Exception as problem:
            job = replace(self._live[number], state="failed", problem=str(problem)[:500])
            self._note(job)
            if not job.dry_run:
                self._journey.store.write(Change(documents=(document_of(job),)))
            self._say("job.failed", job, level="error", error=repr(problem))
        finally:
            self._ended.pop(number, asyncio.Event()).set()
            job = self._live[number]
            if not job.dry_run:
                self._live.pop(number, None)

    async def halt(self, job: Job, who: str) -> Job:
        """Stop a job behind the page that it is at; raises `BadFix` where it has ended."""
        live = self._live.get(job.id)
        if live is None or live.state != RUNNING:
            raise BadFix(tr("This job has ended already."))
        self._live[job.id] = replace(live, state="stopped", undone_by=who)
        return await self.wait(job, 5.0)

    # ---------------------------------------------------------------- carry out

    async def _run(self, job: Job, which: Filter) -> None:
        if job.pending:
            await self._settle_page(job, rows_of(await self._part(job, job.parts)), again=True)
        seen: set[int] = set()
        page: list[Hit] = []
        around = Around(self._journey.store, job.at, self._journey.expiry_of)
        looked_at = 0
        async for step in search(around, await self._places(), which, job.position):
            looked_at += 1
            if step.hit is not None and step.hit.message.message_id < first_of(job.at):
                page.append(step.hit)
            if looked_at >= PAGE:
                await self._page(job.id, page, looked_at, step.position, seen)
                page, looked_at = [], 0
                if self._stopping or self._live[job.id].state != RUNNING:
                    break
                await asyncio.sleep(0)
        else:
            await self._page(job.id, page, looked_at, self._live[job.id].position, seen)
        await self._finish(self._live[job.id])

    async def _finish(self, job: Job) -> None:
        if self._stopping and job.state == RUNNING:
            return  # goes on at the next start
        state = "done" if job.state == RUNNING else job.state
        job = replace(job, state=state, finished_at=self._journey.now())
        self._note(job)
        if not job.dry_run:
            await self._write(Change(documents=(document_of(job),)))
            self._say("job.ended", job, state=job.state, recipients=job.counts.done)
            if job.ends_at:
                self._ending[job.id] = job

    async def _page(
        self, number: int, page: list[Hit], looked_at: int, position: tuple[int, int], seen: set[int]
    ) -> None:
        job = self._live[number]
        counts = counted(job.counts, page, seen, self._world.router.standing)
        job = replace(job, position=position, counts=replace(counts, looked_at=counts.looked_at + looked_at))
        if job.dry_run or not page:
            self._note(job)
            return
        rows, busy = self._rows(job, page)
        job = replace(
            job,
            parts=job.parts + 1,
            pending=job.action in STEPWISE,
            counts=replace(job.counts, under_way=job.counts.under_way + busy),
        )
        if job.action not in STEPWISE:
            job = replace(job, counts=replace(job.counts, done=job.counts.done + len(rows)))
        self._let_go(rows)
        documents = (document_of(job), part_of(job, job.parts, rows))
        updates = updates_of(job, rows)
        await self._write(Change(updates=updates, events=self._events(job, rows), documents=documents))
        self._note(job)
        await self._settle_page(job, rows, again=False)

    def _rows(self, job: Job, page: Iterable[Hit]) -> tuple[list[Row], int]:
        """Return what a page touches, and how many recipients are on a connection just now."""
        rows: list[Row] = []
        busy = 0
        for hit in page:
            key = (hit.place.summary.state.id, hit.message.message_id)
            if key in self._journey.flying or key in self._journey.ending:
                busy += len(hit.recipients)
                continue
            for r in hit.recipients:
                before = r.rerouted if job.action == "reroute" else r.expires_at
                row = Row(*key, r.n, r.address, before)
                if job.action == "suspend" and r.suspended:
                    continue
                if job.action == "resume" and not r.suspended:
                    continue
                if job.action == "reroute" and self._moves.target(job, r.address) == key[0]:
                    continue
                rows.append(row)
        return rows, busy

    def _let_go(self, rows: Iterable[Row]) -> None:
        """Give what lies ready in memory back to the store, so that nobody sends what is about to change."""
        wanted = {(row.destination_id, row.message_id) for row in rows}
        for lane in {row.destination_id for row in rows}:
            found = self._journey.lanes.by_id.get(lane)
            held = [i for i in found.items if (lane, i.message_id) in wanted] if found is not None else []
            if found is not None and held:
                for item in held:
                    self._journey.lanes.forget(found, item.message_id)
                self._journey.release(held)
                found.more = True

    def _events(self, job: Job, rows: Iterable[Row], kind: str = "") -> tuple[Event, ...]:
        """Return what is noted with each message: who did what, and why."""
        data = {**job.parameters, "by": job.who, "reason": job.reason, "job": to_text(job.id)}
        if job.action == "reroute":
            data["connector"] = job.parameters["by"]
        messages = dict.fromkeys(row.message_id for row in rows)
        return tuple(Event(m, self._world.new_id(), kind or f"job.{job.action}", data) for m in messages)

    async def _settle_page(self, job: Job, rows: list[Row], *, again: bool) -> None:
        """Do what a page needs beside its transaction, and note how many recipients it touched."""
        if job.action in STEPWISE:
            done = await (
                self._moves.there(job, rows) if job.action == "reroute" else self._end(job, rows, again)
            )
            left = sum(1 for _ in rows) - done
            counts = job.counts
            counts = replace(counts, done=counts.done + done, under_way=counts.under_way + left)
            job = replace(job, pending=False, counts=counts)
            await self._write(Change(documents=(document_of(job),)))
            self._note(job)
        else:
            self._let_go(rows)
        self._wake(rows, retry=job.action == "retry")

    def _wake(self, rows: Iterable[Row], *, retry: bool) -> None:
        for number in dict.fromkeys(row.destination_id for row in rows):
            lane = self._journey.lanes.by_id.get(number)
            if lane is None or lane.state == "suspended":
                continue
            if retry:
                self._journey.lanes.retry_now(lane)
            self._journey.lanes.arrived(lane)

    async def _end(self, job: Job, rows: list[Row], again: bool) -> int:
        """End recipients; return how many ended, those included that a page cut off had ended before."""
        by_message: dict[tuple[int, int], list[int]] = {}
        for row in rows:
            by_message.setdefault((row.destination_id, row.message_id), []).append(row.n)
        ndr = job.action == "return_now"
        before = 0
        if again:
            for (_destination, message_id), numbers in by_message.items():
                view = await self._journey.store.message(message_id)
                ended = {r.n for r in view.recipients if r.state in ENDED} if view is not None else set()
                before += len(ended & set(numbers))
        ends = (self._hands.cancel(d, m, tuple(n), job.who, ndr=ndr) for (d, m), n in by_message.items())
        return before + sum(await asyncio.gather(*ends))

    # ---------------------------------------------------------------- undo

    async def undo(self, job: Job, who: str) -> Job:
        """Put back what a job changed, where the mail still waits; raises `BadFix`."""
        action = BULK[job.action]
        if job.state == "undone" or job.undone_at:
            raise BadFix(tr("This job was undone already."))
        if job.dry_run or action.undo == "none":
            raise BadFix(tr("This fix cannot be undone: {title}."), title=action.title)
        if job.state not in ("done", "stopped", "failed"):
            raise BadFix(tr("This job still runs: stop it first."))
        job = replace(job, state="undoing", undone_by=who, undone_at=self._journey.now())
        await self._write(Change(documents=(document_of(job),)))
        self._begin(job, self._put_back(job))
        return await self.wait(job, 5.0)

    async def _put_back(self, job: Job) -> None:
        self._ending.pop(job.id, None)
        while job.parts:
            rows = rows_of(await self._part(job, job.parts))
            gone = Document(PART, part_key(job, job.parts), 0, None)
            job = replace(job, parts=job.parts - 1)
            self._let_go(rows)
            if job.action == "reroute":
                await self._moves.back(job, rows)
            documents = (document_of(job), gone)
            updates = undoing_updates(job, rows)
            events = self._events(replace(job, who=job.undone_by), rows, "job.undone")
            await self._write(Change(updates=updates, events=events, documents=documents))
            self._note(job)
            self._wake(rows, retry=False)
        job = replace(job, state="undone")
        await self._write(Change(documents=(document_of(job),)))
        self._note(job)
        self._say("job.undone", job, undone_by=job.undone_by)

    # ---------------------------------------------------------------- over time

    async def restore(self) -> None:
        """Go on with what the last process was at, and forget what is old."""
        for kind in (PART, KIND):
            await self._journey.store.forget(kind, self._journey.now() - KEPT)
        for job in await self.listed(1000):
            if job.state == RUNNING:
                self._begin(job, self._run(job, parse_filter(job.filter, WHATEVER_LONG)))
            elif job.state == "undoing":
                self._begin(job, self._put_back(job))
            elif job.ends_at and not job.undone_at:
                self._ending[job.id] = job

    def tick(self, now: int) -> None:
        """Undo what ends by itself."""
        for job in [j for j in self._ending.values() if j.ends_at <= now]:
            self._ending.pop(job.id)
            self._world.start(self.undo(job, "gateway (time is over)"))

    async def stop(self) -> None:
        """Leave the rest to the next start."""
        self._stopping = True

    # ---------------------------------------------------------------- write

    def _part(self, job: Job, number: int) -> Awaitable[Document | None]:
        return self._journey.store.document(PART, part_key(job, number))

    def _note(self, job: Job) -> None:
        """Keep how far a job is; one that was told to stop meanwhile stays told."""
        live = self._live.get(job.id)
        if live is not None and live.state == "stopped" and job.state == RUNNING:
            job = replace(job, state="stopped", undone_by=live.undone_by)
        self._live[job.id] = job
        self.changed(job)

    def _write(self, change: Change) -> "asyncio.Future[None]":
        return written(self._journey.store, change)

    def _say(self, event: str, job: Job, **more: object) -> None:
        fields = {"job": to_text(job.id), "action": job.action, "filter": job.filter, "by": job.who}
        self._journey.say(event, **fields, reason=job.reason, **more)
