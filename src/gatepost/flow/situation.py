"""Gather what is known of a destination that fails, so that `fix.offers` can choose."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from gatepost.fix.edit import Target
from gatepost.fix.offers import Situation
from gatepost.flow.fixing import Fixing
from gatepost.flow.journey import Journey
from gatepost.model.evidence import Answer
from gatepost.model.insight import CertificateSummary
from gatepost.queue.lane import Lane

DNS_MEMORY = "dns"  # the kind of the documents that remember answers


async def situation(journey: Journey, fixing: Fixing, target: Target) -> Situation:
    """Return the situation of a destination; that of a connector is the one with the latest failure."""
    lanes = fixing.lanes_of(target)
    lane = max(lanes, key=lambda x: x.last_error.at if x.last_error else 0, default=None)
    summaries = {s.state.id: s for s in await journey.store.destinations(journey.expiry_of)}
    waiting = sum(summaries[x.id].messages for x in lanes if x.id in summaries)
    error = lane.last_error if lane is not None else None
    session = await _latest_session(journey, lane)
    return Situation(
        failure_class=target.failure_class or (error.failure_class if error else ""),
        sub=error.reason if error else "",
        connector=next((c for c in journey.world.objects.connectors if c.name == target.connector), None),
        objects=journey.world.objects,
        suspended=any(x.state == "suspended" for x in lanes),
        waiting=waiting,
        dns_then=await _dns_then(journey, lane),
        certificate=_certificate(session),
        issuer_pem=_issuer(session),
        guard=await fixing.guard_of(target),
    )


async def _latest_session(journey: Journey, lane: Lane | None) -> Mapping[str, Any]:
    if lane is None:
        return {}
    attempts = await journey.store.destination_attempts(lane.id, 5)
    for attempt in attempts:
        found = await journey.store.session(attempt.session_id)
        if found is not None and found.get("tls"):
            return cast("Mapping[str, Any]", found)
    return {}


def _certificate(session: Mapping[str, Any]) -> CertificateSummary | None:
    tls = session.get("tls") or {}
    chain = tls.get("chain") or []
    if not chain:
        return None
    leaf = chain[0]
    names = tuple(leaf.get("names") or ())
    return CertificateSummary(
        leaf["subject"], leaf["issuer"], names, leaf["not_before"], leaf["not_after"], leaf["fingerprint"],
        tls.get("verdict", ""),
    )  # fmt: skip


def _issuer(session: Mapping[str, Any]) -> str:
    """Return the last certificate of the presented chain in PEM form: the nearest to the root that is known."""
    pem = (session.get("tls") or {}).get("pem") or []
    return str(pem[-1]).strip() if pem else ""


async def _dns_then(journey: Journey, lane: Lane | None) -> Sequence[Answer]:
    """Return what the names of a destination led to when they last did."""
    if lane is None:
        return ()
    names = [host.host for host in lane.connector.smart_hosts] if lane.connector else []
    found: list[Answer] = []
    for name in names or [lane.key.next_hop]:
        document = await journey.store.document(DNS_MEMORY, name.lower().rstrip("."))
        good = (document.data or {}).get("good") if document is not None else None
        if isinstance(good, Mapping):
            addresses, mx = good.get("addresses"), good.get("mx")
            found.append(
                Answer(
                    name,
                    int(str(good.get("at", 0))),
                    tuple(mx) if isinstance(mx, list) else (),
                    tuple(addresses) if isinstance(addresses, list) else (),
                )
            )
    return found
