"""What a page of a job counts and changes (pure)."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from gatepost.flow.job_records import Row
from gatepost.flow.searching import Hit
from gatepost.model.job import Counts, Job
from gatepost.route.decide import Standing
from gatepost.storage.interface import RowUpdate

SAMPLES = 10


def counted(
    counts: Counts, page: Iterable[Hit], seen: set[int], standing_of: Callable[[str], Standing]
) -> Counts:
    """Return the counts with a page of what is meant; `seen` are the messages that were counted before."""
    places = dict(counts.places)
    known = unknown = messages = octets = recipients = reports = 0
    samples = list(counts.samples)
    for hit in page:
        message = hit.message
        key = str(hit.place.summary.state.id)
        places[key] = places.get(key, 0) + 1
        recipients += len(hit.recipients)
        if message.message_id not in seen:
            seen.add(message.message_id)
            messages += 1
            octets += message.size
            reports += 1 if message.sender else 0
        for recipient in hit.recipients:
            standing = standing_of(recipient.address)
            known += standing == Standing.KNOWN
            unknown += standing in (Standing.UNKNOWN, Standing.RELAYED)
            if len(samples) < SAMPLES and recipient.address not in samples:
                samples.append(recipient.address)
    return replace(
        counts,
        messages=counts.messages + messages,
        recipients=counts.recipients + recipients,
        octets=counts.octets + octets,
        reports=counts.reports + reports,
        known=counts.known + known,
        unknown=counts.unknown + unknown,
        places=places,
        samples=tuple(samples),
    )


def updates_of(job: Job, rows: Iterable[Row]) -> tuple[RowUpdate, ...]:
    """Return what a page changes in its rows."""
    fields: dict[str, dict[str, object]] = {
        "retry": {"not_before": 0},
        "suspend": {"suspended": True},
        "resume": {"suspended": False},
        "expire": {"expires_at": job.parameters.get("until", 0)},
    }
    change = fields.get(job.action)
    if change is None:
        return ()
    return tuple(
        RowUpdate(row.destination_id, row.message_id, row.n, **change)  # type: ignore[arg-type]
        for row in rows
    )


def undoing_updates(job: Job, rows: Iterable[Row]) -> tuple[RowUpdate, ...]:
    """Return what puts a page back."""
    if job.action == "expire":
        return tuple(RowUpdate(r.destination_id, r.message_id, r.n, expires_at=r.before) for r in rows)
    if job.action not in ("suspend", "resume"):
        return ()
    held = job.action == "resume"
    return tuple(RowUpdate(r.destination_id, r.message_id, r.n, suspended=held) for r in rows)
