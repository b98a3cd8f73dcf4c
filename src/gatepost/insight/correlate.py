"""Many destinations that fail alike at once: then it is ours, and one insight says so instead of fifty.

Rule 1: "at once" means that they began to fail within ten minutes of each other; what has failed for days counts
neither for nor against.
Rule 2: "many" means three at least, of different organisations, and three quarters of all that were tried since.
Rule 3: "alike" means in one way (no answer; a refusal; the DNS); once a group is known, other ways that the same fault
of ours could show in join it.
Rule 4: it dissolves by itself when most of them work again.
"""

from collections.abc import Sequence
from typing import NamedTuple

from gatepost.model.failure import FailureClass as C
from gatepost.model.insight import Fingerprint, Scope

WINDOW_MS = 600_000
LEAST = 3
MAJORITY = 0.75
SHOWN_MEMBERS = 500
_SHORT = 3  # letters of the second level in co.uk, com.cn, org.br

# classes that one fault of ours brings about at many destinations, by the way in which it shows
_REACHING = {
    C.DNS_QUERY_FAILED: "dns",
    C.CONNECTION_TIMEOUT: "no answer",
    C.HOST_UNREACHABLE: "no answer",
    C.CONNECTION_REFUSED: "refusal",
    C.CONNECTION_DROPPED: "break",
    C.SESSION_TIMEOUT: "break",
}
_REPUTATION = frozenset({C.IP_BLOCKED, C.RDNS_HELO, C.SENDER_AUTH_FAILED})
_CLOCK_SUBS = frozenset({"expired", "not_yet_valid"})
_DNS_FACTS = frozenset({"nxdomain", "no_records", "mx_invalid", "null_mx"})  # of one domain, never of us


class Failing(NamedTuple):
    """A destination that fails now."""

    fingerprint: str  # of its insight
    failure_class: str
    sub: str
    place: str  # who runs it, as far as names tell: see `organisation`
    since: int  # when this episode began, ms since 1970


class Group(NamedTuple):
    """Destinations that fail alike, and what was counted."""

    family: str
    failure_class: str  # the commonest of its members
    members: tuple[str, ...]
    failing: int
    working: int
    since: int

    @property
    def fingerprint(self) -> Fingerprint:
        """Return what the insight of the gateway is known by."""
        return Fingerprint(Scope.GATEWAY, "", 0, self.failure_class)

    @property
    def grouping(self) -> tuple[tuple[str, int], ...]:
        """Return the counts as they are kept."""
        return (("failing", self.failing), ("working", self.working), ("since", self.since))


def family(failure_class: str, sub: str) -> str:
    """Return which fault of ours a failure could come from: reaching, clock, reputation, or "" for none."""
    if failure_class == C.DNS_QUERY_FAILED and sub in _DNS_FACTS:
        return ""
    if failure_class in _REACHING:
        return "reaching"
    if failure_class == C.CERT_INVALID and sub in _CLOCK_SUBS:
        return "clock"
    return "reputation" if failure_class in _REPUTATION else ""


def way(failure_class: str, sub: str) -> str:
    """Return the way in which a failure of a family shows, "" for none."""
    found = family(failure_class, sub)
    return _REACHING[C(failure_class)] if found == "reaching" else found


def family_of(failure_class: str) -> str:
    """Return the family of a class that an insight of the gateway has, whatever its members said since."""
    return family(failure_class, "expired" if failure_class == C.CERT_INVALID else "")


def organisation(server: str, endpoint: str) -> str:
    """Return who runs a server, by its name: `mx1.mail.contoso.co.uk` is contoso.co.uk; an address is itself."""
    labels = server.rstrip(".").lower().split(".")
    if len(labels) < 2 or labels[-1].isdigit() or ":" in server:
        return endpoint or server
    wide = len(labels) > 2 and len(labels[-2]) <= _SHORT and len(labels[-1]) == 2
    return ".".join(labels[-3:] if wide else labels[-2:])


def common_cause(failing: Sequence[Failing], successes: Sequence[int]) -> list[Group]:
    """Return the groups that are ours to explain; `successes`: when the other destinations last worked (ms)."""
    ways: dict[str, list[Failing]] = {}
    for one in failing:
        name = way(one.failure_class, one.sub)
        if name:
            ways.setdefault(name, []).append(one)
    found = [_group(members, failing, successes) for members in ways.values()]
    groups = sorted((group for group in found if group is not None), key=lambda group: -group.failing)
    return list({group.family: group for group in reversed(groups)}.values())  # the largest of each family


def _group(members: list[Failing], everything: Sequence[Failing], successes: Sequence[int]) -> Group | None:
    """Return the largest number of destinations that began to fail within the window, where that is enough."""
    best: list[Failing] = []
    ordered = sorted(members, key=lambda one: one.since)
    first = 0
    for last, one in enumerate(ordered):
        while one.since - ordered[first].since > WINDOW_MS:
            first += 1
        if last + 1 - first > len(best):
            best = ordered[first : last + 1]
    since = best[0].since
    working = sum(1 for at in successes if at > since)
    tried = sum(1 for one in everything if one.since >= since) + working
    if len({one.place for one in best}) < LEAST or len(best) < MAJORITY * tried:
        return None
    name = family(best[0].failure_class, best[0].sub)
    return Group(name, _commonest(best), tuple(one.fingerprint for one in best), len(best), working, since)


def _commonest(members: Sequence[Failing]) -> str:
    classes = [one.failure_class for one in members]
    return max(sorted(set(classes)), key=classes.count)


def joins(one: Failing, group_family: str, since: int) -> bool:
    """Tell whether a destination that fails belongs to a group that is known."""
    return family(one.failure_class, one.sub) == group_family and one.since >= since - WINDOW_MS


def dissolved(failing: int, working_since: int) -> bool:
    """Tell whether a group is none any more: too few of it fail, or as many others have worked since it began."""
    return failing < LEAST or working_since >= failing
