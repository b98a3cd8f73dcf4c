"""Tell the sender: NDRs, delay notices, and that a delay is over.

Guarantee: an NDR is accepted in the same transaction that ends the recipients it speaks of, and only if it
ended them: so exactly one, whatever crashes when. Nothing is ever sent in answer to the null sender or to a report;
a report that nobody takes is kept for the postmaster, once, where that is an address of ours.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable

from gatepost.bounce.facts import ReportFacts, ReportRecipient
from gatepost.bounce.report import (
    build_delay,
    build_ndr,
    build_over,
    build_relayed,
    may_report,
    report_flags,
)
from gatepost.flow.journey import Journey
from gatepost.flow.records import Final, error_of
from gatepost.flow.words import explanation, parse_reply, timeline
from gatepost.model.attempt import Attempt
from gatepost.model.failure import Reason, Verdict
from gatepost.model.ids import from_text, to_text
from gatepost.model.mail import (
    REPORT,
    RET_FULL,
    BodyMissing,
    Item,
    NewMessage,
    QueuedRecipient,
    Recipient,
    Settlement,
)
from gatepost.queue.lane import Lane
from gatepost.route.decide import Standing
from gatepost.smtp.body import stuff
from gatepost.storage.interface import AttemptView, Change, Event, RowUpdate

HEADER_LIMIT = 64 << 10
AT_ONCE = 48  # reports under way: they share their syncs
BUILT_AT_ONCE = 32 << 10  # octets of an original whose report is built without a thread


class Returns:
    """Makes reports about messages and sends them on their own journey."""

    def __init__(self, journey: Journey) -> None:
        self.journey = journey
        self.world = journey.world
        self.store = journey.store
        self._turn = asyncio.Semaphore(AT_ONCE)
        journey.ended = self.ended
        journey.ended_now = self.ended_now
        journey.relayed = self.relayed

    def ended(self, lane: Lane, item: Item, final: list[Final]) -> None:
        """End recipients for good, and return the message to its sender where one is to be told."""
        self.journey.ending.add((lane.id, item.message_id))
        self.world.start(self.ended_now(lane, item, final))

    async def ended_now(self, lane: Lane, item: Item, final: list[Final]) -> None:
        """As `ended`, and wait until it is on disk."""
        key = (lane.id, item.message_id)
        self.journey.ending.add(key)
        try:
            await self._end(lane, item, final)
        finally:
            self.journey.ending.discard(key)

    async def _end(self, lane: Lane, item: Item, final: list[Final]) -> None:
        self.journey.observer.ended(lane, item, final)
        if keeper := self._keeper(item):
            await self._return(lane, item, final, keeper, "failed")
            return
        told = [f for f in final if may_report(item.sender, item.flags, f[0].notify, "failure")]
        silent = [f for f in final if f not in told]
        for recipient, _failure, verdict, attempt in silent:
            await self._settle(lane, item, [(recipient, verdict, attempt)], "failed", None)
        if told:
            await self._return(lane, item, told, item.sender, "returned")

    def _keeper(self, item: Item) -> str:
        """Return who keeps a report of ours that nobody takes; "" for other mail, and for what was kept already."""
        postmaster = self.world.settings.postmaster
        if not item.flags & REPORT or item.recipients[0].address == postmaster:
            return ""
        ours = self.world.router.standing(postmaster) in (Standing.KNOWN, Standing.RELAYED)
        return postmaster if ours else ""

    async def _return(self, lane: Lane, item: Item, told: list[Final], to: str, outcome: str) -> None:
        async with self._turn:
            facts = await self._facts(lane, item, told, to)
            message = await self._message(facts, build_ndr)
            ended = [(recipient, verdict, attempt) for recipient, _f, verdict, attempt in told]
            await self._settle(lane, item, ended, outcome, message)

    async def cancel(self, lane: Lane, item: Item, who: str) -> None:
        """End recipients because an administrator says so, without a word to the sender."""
        ended: list[tuple[QueuedRecipient, Verdict | None, Attempt | None]] = []
        ended += [(recipient, None, None) for recipient in item.recipients]
        await self._settle(lane, item, ended, "cancelled", None, who)

    def _settle(
        self,
        lane: Lane,
        item: Item,
        ended: list[tuple[QueuedRecipient, Verdict | None, Attempt | None]],
        outcome: str,
        report: NewMessage | None,
        who: str = "",
    ) -> "asyncio.Future[None]":
        settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        settles = tuple(
            Settlement(item.message_id, r.n, lane.id, outcome, attempt) for r, _v, attempt in ended
        )
        events = (Event(item.message_id, self.world.new_id(), "cancelled", {"by": who}),) if who else ()
        change = Change(
            settles=settles,
            accepts=(report,) if report else (),
            events=events,
            only_if_settled=report is not None,
        )

        def durable(problem: BaseException | None) -> None:
            if problem is not None:
                self.journey.say("message.settle_failed", level="error", error=repr(problem))
                self.journey.release([item])
                settled.set_exception(problem)
                return
            settled.set_result(None)
            for recipient, verdict, _attempt in ended:
                self._say(item, lane, recipient, verdict, outcome, report)
            if report is not None:
                self.journey.accepted(report)

        if who:  # whoever asked for it is told at once
            self.store.write(change, durable)
        else:
            self.journey.writing.write(change, durable)
        return settled

    def _say(
        self,
        item: Item,
        lane: Lane,
        recipient: QueuedRecipient,
        verdict: Verdict | None,
        outcome: str,
        report: NewMessage | None,
    ) -> None:
        self.world.metrics.ended(lane.key.connector, outcome)
        self.world.flows.count(item.source, recipient.address, lane.id, outcome)
        self.journey.say(
            f"message.{outcome}",
            message_id=to_text(item.message_id),
            recipient=recipient.address,
            connector=lane.key.connector,
            code=verdict.code if verdict else "",
            error=(verdict.message or verdict.title) if verdict else "",
            report_id=to_text(report.id) if report else "",
        )

    # ---------------------------------------------------------------- notices

    async def delayed(self, lane: Lane, item: Item) -> None:
        """Tell the sender once that a message waits, and until when it will be tried."""
        told = [r for r in item.recipients if may_report(item.sender, item.flags, r.notify, "delay")]
        events = tuple(
            Event(
                item.message_id,
                self.world.new_id(),
                "delayed",
                {"n": r.n, "told": r in told, "destination_id": lane.id},
            )
            for r in item.recipients
        )
        report = None
        if told:
            until = item.accepted_at + lane.policy.expiry * 1000
            facts = await self._facts(lane, item, [(r, None, None, None) for r in told], item.sender, until)
            report = await self._message(facts, build_delay)
        change = Change(
            accepts=(report,) if report else (),
            events=events,
            updates=tuple(
                RowUpdate(lane.id, item.message_id, r.n, noticed_at=self.journey.now())
                for r in item.recipients
            ),
        )

        def durable(problem: BaseException | None) -> None:
            if problem is None and report is not None:
                self.journey.accepted(report)

        self.store.write(change, durable)

    def relayed(self, lane: Lane, item: Item, recipients: list[QueuedRecipient]) -> None:
        """Tell of success where it was asked for and the next hop will not, or that a delay is over."""
        asked = [r for r in recipients if may_report(item.sender, item.flags, r.notify, "relayed")]
        carriers = lane.connections
        passes_on = any(getattr(getattr(c, "extensions", None), "dsn", False) for c in carriers)
        if asked and not passes_on:
            self.world.start(self._tell(lane, item, asked, build_relayed))
            return
        late = item.accepted_at + self.world.delay_ms < self.journey.now()
        over = [r for r in recipients if may_report(item.sender, item.flags, r.notify, "over")]
        if late and over and self.world.settings.delivery.resolved_notice:
            self.world.start(self._tell(lane, item, over, build_over))

    async def _tell(
        self, lane: Lane, item: Item, recipients: list[QueuedRecipient], build: Callable[[ReportFacts], bytes]
    ) -> None:
        async with self._turn:
            facts = await self._facts(lane, item, [(r, None, None, None) for r in recipients], item.sender)
            report = await self._message(facts, build)
            self.journey.keep(report, lambda problem: None)

    # ---------------------------------------------------------------- what a report is made of

    async def _facts(
        self, lane: Lane, item: Item, told: list[Final], to: str, retry_until: int = 0
    ) -> ReportFacts:
        world = self.world
        settings = world.settings.ndr
        language = settings.language_for(to)
        cap = settings.max_original_size if item.flags & (RET_FULL | REPORT) else 0
        header, original = await self._content(item, cap)
        attempts = await self.store.attempts(item.message_id)
        recipients = tuple(
            self._recipient(lane, item, final, attempts, language, delay=bool(retry_until)) for final in told
        )
        return ReportFacts(
            report_id=to_text(world.new_id()),
            message_id=to_text(item.message_id),
            accepted_at=item.accepted_at,
            now=self.journey.now(),
            hostname=world.settings.hostname,
            sender=to,
            recipients=recipients,
            language=language,
            envid=item.envid,
            flags=item.flags,
            header=header,
            original=original,
            original_cap=settings.max_original_size,
            retry_until=retry_until,
        )

    async def _content(self, item: Item, cap: int) -> tuple[bytes, bytes | None]:
        """Return the header of the original, and all of it where it may go back whole."""
        content = bytearray(item.body or b"")  # what was claimed with its body need not be read again
        try:
            async for piece in self._pieces(item):
                content += piece
                if len(content) > max(cap, HEADER_LIMIT):
                    break
        except BodyMissing:
            return bytes(content[:HEADER_LIMIT]), None
        end = content.find(b"\r\n\r\n")
        header = bytes(content[: end + 2] if 0 <= end < HEADER_LIMIT else content[:HEADER_LIMIT])
        return header, bytes(content) if len(content) <= cap else None

    async def _pieces(self, item: Item) -> AsyncIterator[bytes]:
        if item.body is None:
            async for piece in await self.store.open_body(item.message_id):
                yield piece

    def _recipient(
        self,
        lane: Lane,
        item: Item,
        final: Final,
        attempts: list[AttemptView],
        language: str,
        *,
        delay: bool,
    ) -> ReportRecipient:
        recipient, failure, verdict, _attempt = final
        own = [a for a in attempts if a.recipient in (0, recipient.n) and a.outcome != "returned"]
        real = [a for a in own if a.reply]
        error = lane.last_error
        failure_class = (
            verdict.failure_class if verdict else (error.failure_class if error else "queued_retry")
        )
        expired = verdict is not None and failure is not None and failure.reason is Reason.EXPIRED
        if expired and error is not None:
            failure_class = error.failure_class
        reply = failure.reply if failure else None
        if reply is None and real:
            reply = parse_reply(real[-1].reply)
        if failure is not None and verdict is not None and not expired:
            error = error_of(
                failure, verdict, self.journey.now(), self.world.settings.hostname, item.message_id
            )
        return ReportRecipient(
            address=recipient.address,
            explanation=explanation(
                str(failure_class),
                language,
                lane.connector,
                sub=verdict.sub if verdict and not expired else "",
                server=error.server if error else "",
            ),
            orcpt=recipient.orcpt,
            notify=recipient.notify,
            status=verdict.code if verdict and not delay else "",
            line=f"{verdict.smtp} {verdict.code} {verdict.title}" if verdict else "",
            error=error,
            reply=reply,
            timeline=timeline(own),
            relayed_to=self.world.destination_name(lane),
        )

    async def _message(self, facts: ReportFacts, build: Callable[[ReportFacts], bytes]) -> NewMessage:
        """Return the report as a message of its own, from the null sender to whoever it is for."""
        world = self.world
        small = len(facts.header) + len(facts.original or b"") <= BUILT_AT_ONCE
        data = build(facts) if small else await asyncio.to_thread(build, facts)
        wire = stuff(data)
        key = world.router.route(facts.sender).destination
        lane = self.journey.lanes.get(key)
        now = self.journey.now()
        if not lane.queued_since:
            lane.queued_since = now
            self.journey.changed(lane)
        return NewMessage(
            id=from_text(facts.report_id),
            accepted_at=now,
            sender="",
            size=len(wire),
            flags=report_flags(facts, data),
            envid="",
            header_id="",
            source="gatepost",
            client="{}",
            recipients=(Recipient(1, facts.sender, lane.id),),
            body=wire,
            spool=False,
            crc=zlib.crc32(wire),
            claimed=lane.accepts,
        )
