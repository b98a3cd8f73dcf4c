"""Reports: what is queued, what was returned, how connectors and accepted domains fare (R19, R4)."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from gatepost.admin.answers.reports import ConnectorRow, DomainRow, NdrRow, QueuedRow, QuotaRow
from gatepost.admin.errors import Invalid, tr
from gatepost.admin.flows import WINDOWS, FlowFilter, FlowUseCases
from gatepost.admin.gateway import Gateway
from gatepost.admin.insight_words import Shown, Words
from gatepost.admin.queue import QueueUseCases
from gatepost.admin.shapes import Json, connectors_of, destination_name, when
from gatepost.config.problems import BadValue
from gatepost.config.values import seconds
from gatepost.diagnose import catalogue
from gatepost.insight.invalid import DIMENSIONS, Standing
from gatepost.model.failure import FailureClass, clean, from_iso, iso
from gatepost.model.ids import to_text
from gatepost.model.insight import Insight, Scope
from gatepost.storage.interface import DestinationSummary, Traffic

DAY_MS = 86_400_000
LONGEST_MS = 90 * DAY_MS
ROWS = 50_000  # of history that a report looks at
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


@dataclass(frozen=True, slots=True)
class Report:
    """A table; `sampled` where only the latest part of history was looked at."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[Mapping[str, object]]
    since: int = 0
    until: int = 0
    sampled: bool = False
    more: Mapping[str, object] = field(default_factory=dict)  # beside the table: sums, a course

    def to_json(self) -> Json:
        """Return the report as programs read it."""
        return {
            "report": self.name,
            "since": when(self.since),
            "until": when(self.until),
            "sampled": self.sampled,
            "rows": list(self.rows),
            **self.more,
        }

    def to_csv(self) -> str:
        """Return the report as spreadsheets read it (RFC 4180); no cell can be a formula."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(self.columns)
        writer.writerows([cell(row.get(column)) for column in self.columns] for row in self.rows)
        return out.getvalue()


def cell(value: object) -> str:
    """Return a value as a cell that a spreadsheet takes for text, a number or a time."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list | tuple):
        value = " ".join(str(part) for part in value)
    if isinstance(value, Mapping):
        value = value.get("text", "")
    text = clean(str(value), 4000)
    return f"'{text}" if text.startswith(FORMULA) else text


@dataclass(slots=True)
class _Sum:
    """What a connector did."""

    destinations: set[int] = field(default_factory=set)
    attempts: int = 0
    delivered: int = 0
    deferred: int = 0
    failed: int = 0
    held_back: int = 0
    connections: int = 0
    milliseconds: float = 0.0
    last_success: int = 0
    tls: dict[str, int] = field(default_factory=dict)

    def add(self, row: Traffic) -> None:
        """Add a row of history."""
        self.destinations.add(row.destination_id)
        self.attempts += row.attempts
        self.delivered += row.delivered
        self.deferred += row.deferred
        self.failed += row.failed
        self.connections += row.connections
        self.milliseconds += row.milliseconds
        self.last_success = max(self.last_success, row.last_success)
        if row.delivered:
            self.tls[row.tls or "none"] = self.tls.get(row.tls or "none", 0) + row.delivered


class ReportUseCases:
    """What can be asked for."""

    def __init__(self, gateway: Gateway, queue: QueueUseCases) -> None:
        self._gateway = gateway
        self._queue = queue
        self._flows = FlowUseCases(gateway, queue)

    # ---------------------------------------------------------------- queued

    async def queued(self, lang: str) -> Report:
        """Return what waits, by connector and destination, with the eight fields of a queue."""
        places = sorted(await self._queue.places(), key=lambda p: -p.summary.messages)
        found = [self._queued(p.summary, p.name, lang) for p in places if p.summary.messages]
        columns = (
            "messages", "connector", "queued_since", "oldest_expires_at", "destination_server", "last_address",
            "last_error", "how_to_fix", "destination", "state", "recipients", "bytes", "next_attempt_at", "insight",
        )  # fmt: skip
        return Report("queued", columns, found, until=self._gateway.now())

    def _queued(self, summary: DestinationSummary, name: str, lang: str) -> QueuedRow:
        state, error = summary.state, summary.state.last_error
        connector = connectors_of(self._gateway.objects).get(state.connector)
        how = ""
        if error is not None:
            advice = catalogue.explain(
                FailureClass(error.failure_class),
                lang,
                to=connector.to if connector is not None else "",
                server=error.server,
                connector=state.connector,
            )
            how = advice.fixes[0].text if advice.fixes else ""
        insights = self._gateway.insights.book.open_at(state.id, Scope.DESTINATION)
        return {
            "messages": summary.messages,
            "connector": state.connector,
            "queued_since": when(state.queued_since or summary.oldest_at),
            "oldest_expires_at": when(summary.oldest_expires_at),
            "destination_server": error.server if error is not None else "",
            "last_address": error.address if error is not None else "",
            "last_error": error.text() if error is not None else "",
            "how_to_fix": how,
            "destination": name,
            "destination_id": str(state.id),
            "state": state.state,
            "recipients": summary.recipients,
            "bytes": summary.bytes,
            "next_attempt_at": when(state.next_attempt_at) if state.state == "retry" else None,
            "insight": insights[0].fingerprint.text if insights else "",
        }

    # ---------------------------------------------------------------- returned mail

    async def ndr(self, since: str, until: str) -> Report:
        """Return what was returned to senders, by day and code, with messages as samples."""
        first, last = self._span(since, until)
        counts = await self._gateway.store.ended_counts(first, last, ROWS)
        places = await self._places()
        found: list[NdrRow] = [
            {
                "date": row.day,
                "code": row.code,
                "smtp": row.smtp,
                "class": row.failure_class,
                "title": clean(row.title, 200),
                "connector": places.get(row.destination_id, ("", ""))[0],
                "destination": places.get(row.destination_id, ("", ""))[1],
                "recipients": row.recipients,
                "returned": row.returned,
                "samples": [to_text(number) for number in row.samples],
            }
            for row in counts
        ]
        columns = (
            "date", "code", "smtp", "class", "title", "connector", "destination", "recipients", "returned",
            "samples",
        )  # fmt: skip
        sampled = sum(row.recipients for row in counts) >= ROWS
        return Report("ndr", columns, found, first, last, sampled)

    # ---------------------------------------------------------------- connectors

    async def connectors(self, since: str) -> Report:
        """Return how connectors fare: attempts, deliveries, TLS versions, latency, last success."""
        first, last = self._span(since, "")
        rows, sampled = await self._gateway.store.traffic(first, ROWS)
        held_back = await self._gateway.store.held_back(first)
        summaries = await self._gateway.store.destinations(self._gateway.expiry_of)
        of = {summary.state.id: summary.state.connector for summary in summaries}
        sums: dict[str, _Sum] = {connector.name: _Sum() for connector in self._gateway.objects.connectors}
        for row in rows:
            sums.setdefault(of.get(row.destination_id, ""), _Sum()).add(row)
        for destination_id, count in held_back.items():
            sums.setdefault(of.get(destination_id, ""), _Sum()).held_back += count
        queued: dict[str, int] = {}
        for summary in summaries:
            queued[summary.state.connector] = queued.get(summary.state.connector, 0) + summary.messages
        found = [self._connector(name, done, queued.get(name, 0)) for name, done in sorted(sums.items())]
        columns = (
            "connector", "to", "enabled", "delivered", "deferred", "failed", "attempts", "failed_connections",
            "delivered_share", "tls", "average_ms", "last_success", "queued", "insights",
        )  # fmt: skip
        return Report("connectors", columns, found, first, last, sampled)

    def _connector(self, name: str, done: _Sum, queued: int) -> ConnectorRow:
        connector = connectors_of(self._gateway.objects).get(name)
        insights = self._gateway.insights.book.all()
        broken = [i for i in insights if i.state.open and i.fingerprint.connector == name]
        return {
            "connector": name,
            "to": connector.to if connector is not None else "",
            "enabled": connector.enabled if connector is not None else None,
            "destinations": len(done.destinations),
            "attempts": done.attempts,
            "delivered": done.delivered,
            "deferred": done.deferred,
            "failed": done.failed,
            "failed_connections": done.held_back,
            "connections": done.connections,
            "delivered_share": round(done.delivered / done.attempts, 4) if done.attempts else None,
            "tls": [f"{version}={count}" for version, count in sorted(done.tls.items())],
            "average_ms": round(done.milliseconds / done.delivered, 1) if done.delivered else None,
            "last_success": when(done.last_success),
            "queued": queued,
            "insights": [i.fingerprint.text for i in broken],
        }

    # ---------------------------------------------------------------- mail flow

    async def flow(self, which: FlowFilter) -> Report:
        """Return how many recipients went which way, as the map of mail flow shows them."""
        found = await self._flows.map(which)
        now = self._gateway.now()
        columns = ("source", "domain", "connector", "destination", "outcome", "recipients")
        return Report("flow", columns, found["rows"], now - WINDOWS[which.window], now)

    # ---------------------------------------------------------------- domains

    async def domains(self, lang: str) -> Report:
        """Return our accepted domains with where their mail goes and whether it arrives."""
        summaries = {s.state.id: s for s in await self._gateway.store.destinations(self._gateway.expiry_of)}
        words = Words(lang)
        found: list[DomainRow] = []
        for domain in self._gateway.objects.domains:
            route = self._gateway.route(f"{PROBE}@{domain.name}")
            broken = [
                insight
                for scope in (Scope.DESTINATION, Scope.HOSTS)
                for insight in self._gateway.insights.book.open_at(route.destination.id, scope)
            ]
            last_success = self._gateway.insights.hosts.worked(route.destination.id)
            summary = summaries.get(route.destination.id)
            before, now = await self._gateway.mx_of(domain.name)
            found.append(
                {
                    "domain": domain.name,
                    "type": domain.type,
                    "recipients": len(domain.recipients),
                    "connector": route.destination.connector,
                    "destination": self._name(route.destination.id, summaries) or route.destination.next_hop,
                    "status": _status(route.destination.kind, broken, last_success),
                    "reason": self._reason(broken, words),
                    "queued": summary.messages if summary is not None else 0,
                    "last_success": when(last_success),
                    "mx_now": list(now),
                    "mx_before": list(before),
                }
            )
        columns = (
            "domain", "type", "recipients", "connector", "destination", "status", "reason", "queued", "last_success",
            "mx_now", "mx_before",
        )  # fmt: skip
        return Report("domains", columns, found, until=self._gateway.now())

    def _reason(self, broken: Sequence[Insight], words: Words) -> str:
        return words.sentence(Shown(broken[0], self._gateway.now())) if broken else ""

    # ---------------------------------------------------------------- recipients that do not exist

    async def quota(self, dimension: str = "") -> Report:
        """Return who named how many recipients that do not exist, the worst first."""
        if dimension not in ("", *DIMENSIONS):
            choices = ", ".join(DIMENSIONS)
            raise Invalid(tr('"{word}" is none of {choices}.'), word=dimension, choices=choices)
        now, counters = self._gateway.now(), self._gateway.quota.counters
        columns = (
            "dimension", "name", "total", "level", "harvest", "refused", "rejected", "returned", "reports", "addresses",
            "warned_at", "limited_at", "first_at", "last_at", "until", "examples",
        )  # fmt: skip
        found = [_standing(standing) for standing in counters.standings(now, dimension)]
        return Report("quota", columns, found, now - counters.limits.window_ms, now)

    # ---------------------------------------------------------------- facts

    def _name(self, destination_id: int, summaries: Mapping[int, DestinationSummary]) -> str:
        summary = summaries.get(destination_id)
        if summary is None:
            return ""
        return destination_name(summary.state, connectors_of(self._gateway.objects))

    async def _places(self) -> dict[int, tuple[str, str]]:
        return {p.id: (p.summary.state.connector, p.name) for p in await self._queue.places()}

    def _span(self, since: str, until: str) -> tuple[int, int]:
        """Return the times that a report is about; seven days where nothing is said, ninety at most."""
        now = self._gateway.now()
        last = past(until, now) if until else now
        first = past(since, now) if since else last - 7 * DAY_MS
        if first >= last:
            raise Invalid(tr("The report would be about no time: since must be before until."))
        return max(first, last - LONGEST_MS), last


def _standing(standing: Standing) -> QuotaRow:
    times = {name: when(getattr(standing, name)) for name in ("first_at", "last_at", "until")}
    return cast("QuotaRow", {**standing._asdict(), **times, "examples": list(standing.examples)})


PROBE = "gatepost-report"  # a recipient that nobody has: shows where unknown recipients go


def _status(kind: str, broken: Sequence[Insight], last_success: int) -> str:
    if kind == "none" or any(i.fingerprint.scope == Scope.DESTINATION for i in broken):
        return "error"
    if broken:
        return "warning"
    return "healthy" if last_success or kind == "mailbox" else "unknown"


def past(text: str, now: int) -> int:
    """Return the time that a duration before now (`7d`) or a time (RFC 3339) means, ms since 1970."""
    try:
        return now - seconds(text) * 1000
    except BadValue:
        try:
            return from_iso(text)
        except (ValueError, OverflowError, OSError):
            raise Invalid(
                tr('"{text}" is no time: write a duration like 7d, or a time like {example}.'),
                text=text,
                example=iso(now),
            ) from None
