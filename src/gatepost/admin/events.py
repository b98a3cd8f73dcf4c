"""Live changes as server-sent events: insights as they change, what waits every second while anybody listens.

Rule: a listener that does not read loses events and is told so (`lost`); nobody waits for it, and nothing piles up.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping

from gatepost.admin.answers.events import InsightEvent, QueueEvent
from gatepost.admin.errors import Unavailable, tr
from gatepost.admin.gateway import Gateway
from gatepost.admin.queue import QueueUseCases
from gatepost.admin.shapes import when
from gatepost.model.insight import Insight

MAX_LISTENERS = 50
WAITING = 200  # events that a listener may be behind
PERIOD = 1.0
HEARTBEAT = 15.0
LONGEST = 3600.0  # then the listener comes again, and its token is looked at again
ROWS = 50

_Queue = asyncio.Queue[bytes | None]  # None: the end


class EventUseCases:
    """Whoever listens, and what they are told."""

    def __init__(self, gateway: Gateway, queue: QueueUseCases) -> None:
        self._gateway = gateway
        self._queue = queue
        self._listeners: set[_Queue] = set()
        self._number = 0
        self._pump: asyncio.Task[None] | None = None
        self._leave_insights: Callable[[], None] = lambda: None
        self._last: QueueEvent | None = None
        self._closed = False

    @property
    def listeners(self) -> int:
        """Return how many listen."""
        return len(self._listeners)

    def check(self) -> None:
        """Raise `Unavailable` where no more can listen."""
        if self._closed or len(self._listeners) >= MAX_LISTENERS:
            raise Unavailable(tr("Too many listen already: close a page of the admin centre."))

    async def stream(self) -> AsyncGenerator[bytes]:
        """Yield events until the listener goes or an hour is over; a comment now and then shows that we live."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + LONGEST
        events = self._join()
        try:
            yield b"retry: 3000\n\n"
            yield self._event("queue", await self._summary())
            while loop.time() < ends:
                try:
                    event = await asyncio.wait_for(events.get(), HEARTBEAT)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if event is None:
                    return
                yield event
        finally:
            self._leave(events)

    def publish(self, kind: str, data: Mapping[str, object]) -> None:
        """Tell everyone who listens."""
        if not self._listeners:
            return
        event = self._event(kind, data)
        for events in list(self._listeners):
            self._give(events, event)

    def close(self) -> None:
        """Let every listener go: the gateway stops."""
        self._closed = True
        for events in list(self._listeners):
            while not events.empty():
                events.get_nowait()
            events.put_nowait(None)

    def _give(self, events: _Queue, event: bytes) -> None:
        if events.full():
            while not events.empty():
                events.get_nowait()
            event = self._event("lost", {}) + event
        events.put_nowait(event)

    def _event(self, kind: str, data: Mapping[str, object]) -> bytes:
        self._number += 1
        return f"event: {kind}\nid: {self._number}\ndata: {json.dumps(data)}\n\n".encode()

    # ---------------------------------------------------------------- who listens

    def _join(self) -> _Queue:
        self.check()
        events: _Queue = asyncio.Queue(WAITING)
        self._listeners.add(events)
        if self._pump is None:
            self._leave_insights = self._gateway.insights.subscribe(self._insight)
            self._pump = asyncio.ensure_future(self._watch())
        return events

    def _leave(self, events: _Queue) -> None:
        self._listeners.discard(events)
        if not self._listeners and self._pump is not None:
            self._pump.cancel()
            self._pump = None
            self._leave_insights()

    # ---------------------------------------------------------------- what is told

    def _insight(self, insight: Insight, before: Insight | None) -> None:
        fingerprint = insight.fingerprint
        told: InsightEvent = {
            "id": fingerprint.text,
            "scope": fingerprint.scope,
            "state": str(insight.state),
            "state_before": str(before.state) if before is not None else None,
            "severity": str(insight.severity),
            "class": fingerprint.failure_class,
            "code": insight.flow_code,
            "connector": fingerprint.connector,
            "destination": insight.destination,
            "attempts": insight.attempts,
            "last_seen": when(insight.last_seen),
            "resolved_why": insight.resolved_why,
            "acknowledged_by": insight.acknowledged_by,
            "parent": insight.parent,
        }
        self.publish("insight", told)

    async def _watch(self) -> None:
        """Tell what waits as long as anybody listens, where it changed."""
        while True:
            await asyncio.sleep(PERIOD)
            summary = await self._summary()
            if summary != self._last:
                self._last = summary
                self.publish("queue", summary)

    async def _summary(self) -> QueueEvent:
        places = [place for place in await self._queue.places() if place.summary.messages]
        places.sort(key=lambda place: -place.summary.messages)
        ends = [place.summary.oldest_expires_at for place in places if place.summary.oldest_expires_at]
        return {
            "messages": sum(place.summary.messages for place in places),
            "recipients": sum(place.summary.recipients for place in places),
            "bytes": sum(place.summary.bytes for place in places),
            "oldest_expires_at": when(min(ends, default=0)),
            "destinations": len(places),
            "rows": [
                {
                    "id": str(place.id),
                    "connector": place.summary.state.connector,
                    "destination": place.name,
                    "state": place.summary.state.state,
                    "messages": place.summary.messages,
                    "next_attempt_at": when(place.summary.state.next_attempt_at),
                }
                for place in places[:ROWS]
            ],
        }
