"""Work on a set of queued mail that may take a while: previewed, carried out page by page, stopped, undone (B5)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

RUNNING = "running"
FINAL_STATES = frozenset({"done", "stopped", "failed", "undone"})


@dataclass(frozen=True, slots=True)
class Counts:
    """What a job has found and done so far; `recipients` and `messages` are what the filter means."""

    messages: int = 0
    recipients: int = 0
    octets: int = 0
    done: int = 0  # recipients
    under_way: int = 0  # recipients on a connection just now: they are left alone
    reports: int = 0  # messages whose senders are told, at most
    known: int = 0  # recipients that our mailbox store knows
    unknown: int = 0
    looked_at: int = 0  # messages
    to_look_at: int = 0  # messages at the destinations that come into question, when the job began
    places: Mapping[str, int] = field(default_factory=dict)  # messages by destination id
    samples: tuple[str, ...] = ()  # addresses


@dataclass(frozen=True, slots=True)
class Job:
    """One action on what a filter means. Times are ms since 1970, 0 for not yet.

    state: running, done, stopped (by somebody), failed (`problem` says why), undoing, undone.
    """

    id: int
    action: str
    filter: str
    parameters: Mapping[str, object]
    who: str
    via: str  # "socket" | "api" | "page"
    reason: str
    at: int
    dry_run: bool = False
    state: str = RUNNING
    position: tuple[int, int] = (0, 0)  # of the last message that is settled
    parts: int = 0  # pages written
    pending: bool = False  # the last page is planned, and not known to be carried out
    counts: Counts = field(default_factory=Counts)
    ends_at: int = 0  # when it is undone by itself
    finished_at: int = 0
    undone_at: int = 0
    undone_by: str = ""
    problem: str = ""
