"""Jobs and their pages as documents, and back (pure)."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, NamedTuple, cast

from gatepost.model.document import Document
from gatepost.model.ids import to_text
from gatepost.model.job import Counts, Job

KIND = "job"
PART = "job-part"


class Row(NamedTuple):
    """One recipient that a job touches; `before` is what undo puts back (a time, or a destination)."""

    destination_id: int
    message_id: int
    n: int
    address: str
    before: int = 0


def document_of(job: Job) -> Document:
    """Return a job as it is kept."""
    return Document(KIND, to_text(job.id), job.at, asdict(job))


def job_of(document: Document) -> Job:
    """Return the job that a document keeps."""
    data = cast("dict[str, Any]", dict(document.data or {}))
    counts = dict(data["counts"])
    counts["samples"] = tuple(counts["samples"])
    return Job(**{**data, "position": tuple(data["position"]), "counts": Counts(**counts)})


def part_of(job: Job, number: int, rows: Iterable[Row]) -> Document:
    """Return a page of a job as it is kept."""
    return Document(PART, part_key(job, number), job.at, {"rows": [list(row) for row in rows]})


def part_key(job: Job, number: int) -> str:
    """Return under which key a page is kept."""
    return f"{to_text(job.id)}/{number:08d}"


def rows_of(document: Document | None) -> list[Row]:
    """Return what a page touches."""
    data = cast("dict[str, Any]", dict((document.data if document is not None else None) or {}))
    return [Row(*row) for row in data.get("rows", [])]
