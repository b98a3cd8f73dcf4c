"""The queue by destination: what waits where and why, and how an administrator steers it (R19, B5)."""

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import cast

from gatepost.admin.answers.queue import ActedJson, AuditJson, QueueRow
from gatepost.admin.errors import Invalid, tr
from gatepost.admin.gateway import Gateway
from gatepost.admin.reroutes import Reroutes
from gatepost.admin.shapes import connectors_of, destination_name, queue_row
from gatepost.fix import bulk
from gatepost.fix.edit import BadFix
from gatepost.fix.filter import FIELDS, BadFilter, Facts, Filter, like, parse_filter
from gatepost.flow.searching import names_of
from gatepost.storage.interface import DestinationSummary

PLACE_FIELDS = frozenset({"connector", "destination", "state", "code", "class", "age", "expires", "attempts"})


@dataclass(frozen=True, slots=True)
class DestinationFilter:
    """Which destinations: by connector and by destination (name, host or id); both may hold `*`."""

    connector: str = ""
    destination: str = ""
    state: str = ""
    filter: str = ""  # in the language of `fix.filter`, of the fields that a destination has

    @property
    def empty(self) -> bool:
        """Return whether it names nothing, so that it would match everything."""
        return self == DestinationFilter()


@dataclass(frozen=True, slots=True)
class Place:
    """A destination with its name."""

    summary: DestinationSummary
    name: str

    @property
    def id(self) -> int:
        """Return the number of the destination."""
        return self.summary.state.id

    def matches(self, which: DestinationFilter) -> bool:
        """Tell whether a filter means this destination."""
        state = self.summary.state
        if which.connector and not _like(state.connector, which.connector):
            return False
        if which.state and state.state != which.state:
            return False
        return not which.destination or any(_like(name, which.destination) for name in names_of(self))


def _like(name: str, pattern: str) -> bool:
    return like(name, pattern.lower())


class QueueUseCases:
    """What can be asked of and done to destinations."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def places(self) -> list[Place]:
        """Return every destination that is known, with the state that it has in this process."""
        gateway = self._gateway
        connectors = connectors_of(gateway.objects)
        live = gateway.live()
        summaries = await gateway.store.destinations(gateway.expiry_of)
        found = [s._replace(state=live.get(s.state.id, s.state)) for s in summaries]
        return [Place(s, destination_name(s.state, connectors)) for s in found]

    async def _chosen(self, which: DestinationFilter) -> list[Place]:
        """Return the destinations that a filter means."""
        terms = parsed(which.filter, PLACE_FIELDS)
        found = [p for p in await self.places() if p.matches(which)]
        return [p for p in found if terms.empty or terms.matches(self._facts(p))]

    def _facts(self, place: Place) -> Facts:
        """Return what a filter can ask about a destination: age and expiry are those of its oldest message."""
        summary, state = place.summary, place.summary.state
        error = state.last_error
        return Facts(
            now=self._gateway.now(),
            message_id=0,
            accepted_at=summary.oldest_at or self._gateway.now(),
            expires_at=summary.oldest_expires_at,
            size=summary.bytes,
            recipients=summary.recipients,
            sender="",
            address="",
            connector=state.connector,
            destination=names_of(place),
            source="",
            header_id="",
            attempts=state.attempts,
            states=frozenset({state.state}),
            codes=frozenset({error.code, error.flow_code}) if error is not None else frozenset(),
            failure_class=error.failure_class if error is not None else "",
        )

    async def rows(self, which: DestinationFilter = DestinationFilter()) -> list[QueueRow]:
        """Return what waits, destination by destination, the most first."""
        places = [p for p in await self._chosen(which) if _worth_showing(p)]
        places.sort(key=lambda p: (-p.summary.messages, p.summary.state.connector, p.name))
        rerouted = await Reroutes(self._gateway).places()
        return [queue_row(p.summary, p.name, rerouted.get(p.id, [])) for p in places]

    async def retry(self, which: DestinationFilter, *, dry_run: bool) -> ActedJson:
        """Try destinations now instead of at their next time."""
        places = [p for p in await self._waiting(which) if p.summary.state.state != "suspended"]
        return self._each(places, dry_run, lambda p: self._gateway.retry(p.id))

    async def suspend(
        self, which: DestinationFilter, who: str, reason: str, until: str, *, everything: bool, dry_run: bool
    ) -> ActedJson:
        """Hold destinations back: nothing is sent there until they are resumed or the time is over."""
        if which.empty and not everything:
            raise Invalid(
                tr("This would suspend every destination: name a connector or a destination, or say all.")
            )
        ends = moment(until, self._gateway.now())
        places = [p for p in await self._chosen(which) if _worth_showing(p)]
        return self._each(places, dry_run, lambda p: self._gateway.suspend(p.id, who, reason, ends))

    async def resume(self, which: DestinationFilter, who: str, *, dry_run: bool) -> ActedJson:
        """End the suspension of destinations."""
        places = [p for p in await self._chosen(which) if p.summary.state.state == "suspended"]
        return self._each(places, dry_run, lambda p: self._gateway.resume(p.id, who))

    async def audit(self) -> AuditJson:
        """Count the whole store again and compare it with the ledger."""
        return cast("AuditJson", await self._gateway.store.audit())

    async def _waiting(self, which: DestinationFilter) -> list[Place]:
        return [p for p in await self._chosen(which) if p.summary.messages]

    def _each(self, places: list[Place], dry_run: bool, act: Callable[[Place], bool]) -> ActedJson:
        """Do something to each destination (or only say so) and return the counts."""
        done = [p for p in places if dry_run or act(p)]
        return {
            "dry_run": dry_run,
            "destinations": len(done),
            "messages": sum(p.summary.messages for p in done),
            "rows": [
                {
                    "id": str(p.id),
                    "connector": p.summary.state.connector,
                    "destination": p.name,
                    "state": p.summary.state.state,
                    "messages": p.summary.messages,
                }
                for p in done
            ],
        }


def parsed(text: str, fields: Container[str] = FIELDS) -> Filter:
    """Return the filter that a text means; `Invalid` where it cannot be understood, or asks for other fields."""
    try:
        found = parse_filter(text)
    except BadFilter as problem:
        raise Invalid(problem.text, (), **problem.values) from None
    strange = [term.field for term in found.terms if term.field not in fields]
    if strange:
        raise Invalid(
            tr('"{field}" is about messages, not about destinations: use gatepost message instead.'),
            field=strange[0],
        )
    return found


def _worth_showing(place: Place) -> bool:
    return bool(place.summary.messages) or place.summary.state.state == "suspended"


def moment(text: str, now: int) -> int:
    """Return the time that a duration from now (`4h`) or a time (RFC 3339) means; 0 for none."""
    try:
        return bulk.moment(text, now) if text else 0
    except BadFix as problem:
        raise Invalid(problem.text, (), **problem.values) from None
