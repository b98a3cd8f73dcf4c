"""A fix as a value: offered, previewed, applied, verified, undone (B4)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gatepost.model.evidence import Because


class Offer(NamedTuple):
    """A fix that fits an insight. `undo` is full, partly or none; warnings are what the guard has against it."""

    action: str  # stable name: fix_now, retry, flush_dns, set_tls_domain ...
    parameters: Mapping[str, object]  # what it needs, with the values that we would choose
    because: tuple[Because, ...]  # why it is offered at this place
    destructive: bool  # mail or objects are gone afterwards
    undo: str
    warnings: tuple[Because, ...] = ()


class ObjectDiff(NamedTuple):
    """One object that changes: None before it exists, None after it is gone."""

    kind: str
    name: str
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Effect:
    """What would become of queued mail: recipients by fate, with samples (addresses) of each."""

    delivered: int = 0  # into our own mailbox store
    retried: int = 0  # tried again at once, where it waits
    rerouted: int = 0  # to another destination
    returned: int = 0  # to the sender, at once
    held: int = 0
    deleted: int = 0
    unchanged: int = 0
    known: int = 0  # recipients that our mailbox store knows
    unknown: int = 0
    messages: int = 0
    samples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a fix would do, exactly; made from one revision of the objects."""

    action: str
    parameters: Mapping[str, object]
    revision: int
    objects: tuple[ObjectDiff, ...]
    effect: Effect
    warnings: tuple[Because, ...]
    undo: str
    not_undone: tuple[Because, ...] = ()  # what undo will not bring back


@dataclass(frozen=True, slots=True)
class AppliedFix:
    """A fix that was applied: kept for the audit, for verifying and for undoing."""

    id: int
    insight: str  # fingerprint, "" where there was none
    action: str
    parameters: Mapping[str, object]
    who: str
    via: str  # "socket" | "api" | "page"
    reason: str
    at: int
    preview: Preview
    state: str = "applied"  # applied | verified | failing | undone
    revision: int = 0  # of the objects afterwards
    verified_at: int = 0
    undone_at: int = 0
    undone_by: str = ""
    held: Mapping[str, tuple[str, str, int]] = field(
        default_factory=dict
    )  # what was suspended before, by destination: by whom, why, until when
