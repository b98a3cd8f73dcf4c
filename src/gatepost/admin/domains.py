"""What would be refused if an internal relay became authoritative, and whom to import before (R14, R15).

Rule: nothing is changed here; an address counts as good where mail for it was delivered through a connector lately.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gatepost.admin.answers.fixes import DomainDryRun, SeenJson
from gatepost.admin.errors import NotFound, tr
from gatepost.admin.gateway import Gateway
from gatepost.admin.shapes import effect_json, when
from gatepost.fix.edit import carries
from gatepost.model.objects import AcceptedDomain, Objects
from gatepost.storage.interface import MessageView, TraceFilter

DAY = 86_400_000
PAGE = 500
MOST_MESSAGES = 3000  # that are looked at, the latest ones
MOST_PAGES = 20  # of the trace: each is a bounded look, which may find nothing
MOST_SHOWN = 1000  # addresses in an answer


@dataclass(slots=True)
class Seen:
    """What became of mail for one address lately; `last_at` in ms since 1970."""

    address: str
    delivered: int = 0
    refused: int = 0
    last_at: int = 0

    def to_json(self, known: Iterable[str]) -> SeenJson:
        """Return it as JSON, with what would become of it."""
        is_known = self.address in known
        return {
            "address": self.address,
            "delivered": self.delivered,
            "refused": self.refused,
            "last_at": when(self.last_at),
            "known": is_known,
            "good": self.delivered > 0,
            "would_be_refused": not is_known,
        }


class DomainUseCases:
    """What can be asked about accepted domains before they are changed."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def dry_run(self, name: str, days: int = 7) -> DomainDryRun:
        """Return what would be refused if a domain were authoritative, and which recipients could be imported."""
        domain = self._find(name)
        after = turned(self._gateway.objects, domain)
        effect = await self._gateway.fixing.effect_of(after)
        since = self._gateway.now() - days * DAY
        looked_at, complete, seen = await self._recent(domain, since)
        good = [s.address for s in seen if s.delivered and s.address not in domain.recipients]
        refused = [s for s in seen if s.address not in domain.recipients]
        return {
            "domain": domain.name,
            "type": domain.type,
            "would_be": "authoritative",
            "known_recipients": len(domain.recipients),
            "effect": effect_json(effect),
            "since": when(since),
            "messages_looked_at": looked_at,
            "complete": complete,
            "addresses": len(seen),
            "would_be_refused": len(refused),
            "good_but_unknown": len(good),
            "recent": [s.to_json(domain.recipients) for s in seen[:MOST_SHOWN]],
            "importable": good,
        }

    def _find(self, name: str) -> AcceptedDomain:
        for domain in self._gateway.objects.domains:
            if domain.name == name.lower():
                return domain
        raise NotFound(tr("There is no accepted domain {name}."), name=name)

    async def _recent(self, domain: AcceptedDomain, since: int) -> tuple[int, bool, list[Seen]]:
        """Return how many messages were looked at, whether these were all, and the addresses in them.

        The most delivered ones come first.
        """
        found: dict[str, Seen] = {}
        looked_at, pages, complete = 0, 0, True
        for destination in await self._destinations(domain):
            which = TraceFilter(since=since, destination_id=destination)
            more = True
            while more and looked_at < MOST_MESSAGES and pages < MOST_PAGES:
                page = await self._gateway.store.trace(which, min(PAGE, MOST_MESSAGES - looked_at))
                looked_at, pages, more = looked_at + len(page.messages), pages + 1, bool(page.before)
                count(found, page.messages, domain, destination)
                which = which._replace(before=page.before)
            complete = complete and not more
        return (
            looked_at,
            complete,
            sorted(found.values(), key=lambda s: (-s.delivered, -s.refused, s.address)),
        )

    async def _destinations(self, domain: AcceptedDomain) -> list[int]:
        """Return the destinations where mail for a domain may have gone: those of connectors that carry it."""
        names = {c.name for c in self._gateway.objects.connectors if carries(c, domain)}
        known = await self._gateway.store.destinations(self._gateway.expiry_of)
        return [s.state.id for s in known if s.state.connector in names and s.state.kind != "none"]


def turned(objects: Objects, domain: AcceptedDomain) -> Objects:
    """Return the objects with a domain authoritative."""
    changed = replace(domain, type="authoritative")
    return replace(objects, domains=tuple(changed if d is domain else d for d in objects.domains))


def count(
    found: dict[str, Seen], page: Sequence[MessageView], domain: AcceptedDomain, destination: int
) -> None:
    """Add the recipients of a page of messages that were of a domain and went to a destination."""
    for view in page:
        for recipient in view.recipients:
            address = recipient.address.lower()
            host = address.rpartition("@")[2]
            below = domain.match_subdomains and host.endswith("." + domain.name)
            if recipient.destination_id != destination or (host != domain.name and not below):
                continue
            seen = found.setdefault(address, Seen(address))
            seen.delivered += recipient.state == "delivered"
            seen.refused += recipient.state in ("returned", "failed")
            seen.last_at = max(seen.last_at, recipient.ended_at or view.accepted_at)
