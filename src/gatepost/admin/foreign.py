"""Foreign mail systems whose logs are sent here: what they tell, and since when nothing more (B8)."""

from collections.abc import Mapping, Sequence
from typing import Any

from gatepost.admin.answers.explain import ForeignSystem, ForgottenJson, ReportedJson
from gatepost.admin.errors import Conflict, Invalid, NotFound, tr
from gatepost.admin.gateway import Gateway
from gatepost.admin.shapes import when
from gatepost.explain.log.summary import LogSummary
from gatepost.model.failure import FailureClass, from_iso
from gatepost.model.foreign import ForeignReport, ForeignRow, connector_of

MAX_INSIGHTS = 200
MAX_NAME = 100
CLASSES = frozenset(str(failure_class) for failure_class in FailureClass)


class ForeignUseCases:
    """What can be told by and asked of foreign systems."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def report(self, report: ForeignReport, *, dry_run: bool = False) -> ReportedJson:
        """Take what a log says now."""
        name = report.system.strip()
        if not name or len(name) > MAX_NAME or not name.isprintable():
            raise Invalid(tr('"{name}" is no name of a system: 1 to 100 characters.'), name=name[:MAX_NAME])
        wrong = next((row.failure_class for row in report.rows if row.failure_class not in CLASSES), None)
        if wrong is not None:
            raise Invalid(tr('"{word}" is no failure class.'), word=wrong[:MAX_NAME])
        if not self._gateway.foreign.has_room(name):
            raise Conflict(tr("100 foreign systems are known already: forget one first."))
        report = report._replace(system=name)
        count = len(report.rows)
        if not dry_run:
            count = self._gateway.foreign.report(report, self._gateway.now())
        return {"dry_run": dry_run, "system": name, "connector": connector_of(name), "insights": count}

    def keep(self, name: str, summary: LogSummary, *, dry_run: bool = False) -> ReportedJson:
        """Take the picture of a log that somebody has handed in."""
        return self.report(ForeignReport(name, summary.kind, rows_of_summary(summary)), dry_run=dry_run)

    def listed(self) -> list[ForeignSystem]:
        """Return the systems that have told something."""
        return [
            {
                "system": system.name,
                "connector": connector_of(system.name),
                "source_kind": system.source_kind,
                "heard_at": when(system.at),
                "insights": len(system.places),
                "stuck": sum(held.stuck for held in system.places.values()),
            }
            for system in self._gateway.foreign.systems()
        ]

    def forget(self, name: str) -> ForgottenJson:
        """Forget a system: its insights are over."""
        if not self._gateway.foreign.forget(name, self._gateway.now()):
            raise NotFound(tr("There is no foreign system {name}."), name=name[:MAX_NAME])
        return {"system": name, "forgotten": 1}


def report_of(system: str, source_kind: str, rows: Sequence[Mapping[str, Any]]) -> ForeignReport:
    """Return a report from the JSON of `gatepost explain --summary`."""
    return ForeignReport(system, source_kind, tuple(_row(row) for row in rows))


def _row(row: Mapping[str, Any]) -> ForeignRow:
    return ForeignRow(
        destination=str(row["destination"] or ""),
        failure_class=str(row["failure_class"]),
        sub=row["sub"] or "",
        phase=row["phase"],
        stuck=row["stuck"],
        attempts=row["attempts"],
        returned=row["returned"],
        oldest_at=_moment(row["oldest_at"]),
        server=row["server"] or "",
        address=row["address"] or "",
        text=row["text"],
        over=row["over"],
    )


def _moment(text: str | None) -> int:
    try:
        return from_iso(text) if text else 0
    except (ValueError, OverflowError):
        raise Invalid(tr('"{text}" is no time: write 2026-11-23T08:00:00Z.'), text=str(text)[:40]) from None


def rows_of_summary(summary: LogSummary) -> tuple[ForeignRow, ...]:
    """Return the insights of a log as a report tells them; what its own side refused is no trouble of a destination."""
    return tuple(
        ForeignRow(
            insight.destination, insight.failure_class, insight.sub, insight.phase, insight.stuck, insight.attempts,
            insight.returned, insight.oldest_at, insight.server, insight.address, insight.text, insight.over,
        )
        for insight in summary.insights[:MAX_INSIGHTS]
        if not insight.incoming
    )  # fmt: skip
