"""How much an insight matters and where it stands: decisions from facts alone.

Rule 1: useful with one message a day: a route of ours that cannot mend itself is high with the first message.
Rule 2: the internet's weather is low: a stranger's server that is away for an hour is nobody's to mend.
Rule 3: an insight moves by itself; it escalates when clearly more is held back than at its last mark, or when mail is
about to be returned.
"""

from typing import NamedTuple

from gatepost.model.failure import FailureClass as C
from gatepost.model.insight import InsightState, Scope, Severity

MINUTE = 60_000
HOUR = 60 * MINUTE

SETTLED_MS = MINUTE  # from here on a second attempt has seen it too
SETTLED_ALONE_MS = 5 * MINUTE
REGRESSED_MS = HOUR
FRESH_MS = 5_000  # what waits may not be counted yet
CALM_MS = 30 * MINUTE  # without further growth it escalates no more
GROWTH = 2
GROWTH_LEAST = 50
LAST_HOURS_MS = 4 * HOUR  # of mail that expires after a day; less where it expires sooner
LAST_SHARE = 6

# what time and patience do not mend: somebody has to do something
STAYS = frozenset(
    {
        C.DNS_PERMANENT, C.CONNECTION_REFUSED, C.CERT_INVALID, C.TLS_NOT_OFFERED, C.TLS_HANDSHAKE_FAILED, C.DANE_MTASTS,
        C.AUTH_FAILED, C.AUTH_REQUIRED, C.RELAY_DENIED, C.IP_BLOCKED, C.RDNS_HELO, C.ROUTING_ERROR, C.MAIL_LOOP,
    }
)  # fmt: skip
STAYS_IN_DNS = frozenset({"nxdomain", "no_records", "mx_invalid", "null_mx"})
# what says something of us, whoever the recipient is
OURS = frozenset(
    {
        C.IP_BLOCKED, C.RDNS_HELO, C.SENDER_AUTH_FAILED, C.AUTH_FAILED, C.AUTH_REQUIRED, C.RELAY_DENIED, C.SYSTEM_ERROR,
        C.ROUTING_ERROR, C.MAIL_LOOP,
    }
)  # fmt: skip
WEATHER = frozenset({C.GREYLISTED, C.RATE_LIMITED})


class Load(NamedTuple):
    """What an insight holds back and what it has cost, at a moment; times in ms."""

    messages: int = 0  # that wait at its destination
    share: float = 0.0  # of all that waits
    expires_in: int = 0  # until the first message is returned; 0 where none waits
    lifetime: int = 0  # of that message in all
    lately: int = 0  # failed attempts in the last hour
    ended: int = 0  # recipients that failed for good
    working: int = 0  # addresses of the destination that do not fail, tried or not
    age: int = 0  # of the episode
    attempts: int = 0

    @property
    def dated(self) -> bool:
        """Whether mail waits of which it is known when it expires."""
        return bool(self.messages and self.lifetime)

    @property
    def soon(self) -> bool:
        """Whether mail is about to be returned."""
        return self.dated and self.expires_in <= last_hours(self.lifetime)

    @property
    def very_soon(self) -> bool:
        """Whether it is about to be returned within a quarter of that time."""
        return self.dated and self.expires_in <= last_hours(self.lifetime) // 4


def last_hours(lifetime: int) -> int:
    """Return how long before its end a message is about to expire: four hours, or a sixth of its lifetime."""
    return min(LAST_HOURS_MS, lifetime // LAST_SHARE)


def stays(failure_class: str, sub: str) -> bool:
    """Tell whether a failure does not go away by waiting."""
    return failure_class in STAYS or (failure_class == C.DNS_QUERY_FAILED and sub in STAYS_IN_DNS)


def severity(scope: str, failure_class: str, sub: str, load: Load, *, route: bool) -> Severity:
    """Return how much an insight matters; `route` says that it is a way of ours: a connector, our mailboxes."""
    if scope == Scope.GATEWAY:
        return Severity.CRITICAL
    if scope == Scope.HOSTS:
        return Severity.MEDIUM if load.working <= 1 else Severity.LOW
    if scope == Scope.MESSAGES:
        return _of_messages(failure_class, load)
    if scope == Scope.FOREIGN:
        return worse(_of_stranger(load), _of_messages(failure_class, load))
    return _of_route(failure_class, sub, load) if route else _of_stranger(load)


def worse(one: Severity, other: Severity) -> Severity:
    """Return the one that matters more."""
    order = list(Severity)
    return min(one, other, key=order.index)


def _of_messages(failure_class: str, load: Load) -> Severity:
    ours = failure_class in OURS
    if load.ended >= 200 or (ours and load.lately >= 20):
        return Severity.HIGH
    many = load.lately >= 20 and failure_class not in WEATHER
    if many or load.ended >= 10 or (ours and load.lately >= 3):
        return Severity.MEDIUM
    return Severity.LOW


def _of_route(failure_class: str, sub: str, load: Load) -> Severity:
    if not load.messages:
        return Severity.MEDIUM
    if load.messages >= 2000 or load.very_soon:
        return Severity.CRITICAL
    pressing = load.soon or load.messages >= 200 or load.age >= 10 * MINUTE
    most = load.share >= 0.5 and load.messages >= 50
    return Severity.HIGH if pressing or most or stays(failure_class, sub) else Severity.MEDIUM


def _of_stranger(load: Load) -> Severity:
    if load.messages >= 2000:
        return Severity.CRITICAL
    if load.messages >= 200:
        return Severity.HIGH
    if load.messages >= 10 or (load.messages and (load.age >= 4 * HOUR or load.soon)):
        return Severity.MEDIUM
    return Severity.LOW


def size(scope: str, load: Load) -> int:
    """Return what an insight grows by: messages that wait, or failures in an hour where nothing can be said to wait."""
    return load.lately if scope == Scope.MESSAGES else load.messages


def grown(mark: int, now: int) -> bool:
    """Tell whether clearly more is held back than at the mark."""
    return now >= max(mark * GROWTH, mark + GROWTH_LEAST)


class Standing(NamedTuple):
    """Where an open insight stands, with the mark that its growth is measured from."""

    state: InsightState
    mark: int
    escalated_at: int


def stand(old: Standing, scope: str, load: Load, now: int, failure_class: str = "") -> Standing:
    """Return where an open insight stands now; that many messages are greylisted is weather, and escalates nothing."""
    weather = scope == Scope.MESSAGES and failure_class in WEATHER
    if weather or scope in (Scope.HOSTS, Scope.GATEWAY):
        return old._replace(state=_older(old.state, load))
    held = size(scope, load)
    pressing = scope == Scope.DESTINATION and load.soon
    if grown(old.mark, held) or (pressing and old.state is not InsightState.ESCALATING):
        if load.age >= SETTLED_MS or pressing:
            return Standing(InsightState.ESCALATING, held, now)
    elif old.state is InsightState.ESCALATING and not pressing and now - old.escalated_at >= CALM_MS:
        return Standing(InsightState.ONGOING, held, old.escalated_at)
    fresh = load.age < SETTLED_MS or held * GROWTH < old.mark
    return old._replace(state=_older(old.state, load), mark=held if fresh else old.mark or held)


def _older(state: InsightState, load: Load) -> InsightState:
    if state is InsightState.NEW:
        seen_twice = load.attempts >= 2 and load.age >= SETTLED_MS
        return InsightState.ONGOING if seen_twice or load.age >= SETTLED_ALONE_MS else state
    if state is InsightState.REGRESSED and load.age >= REGRESSED_MS:
        return InsightState.ONGOING
    return state
