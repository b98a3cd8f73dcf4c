"""Send a message of our own by a way that does not hang on the one that is broken.

The ways, in order: the smart host of the setting `alerts.smart_host`; our own mailbox store where it knows the
address; the route of the address, unless that is in trouble; the MX of its domain; and the ordinary queue at last,
which keeps trying.
"""

import asyncio
import zlib
from dataclasses import replace
from typing import NamedTuple

from gatepost.deliver.connection import open_connection
from gatepost.deliver.once import send_once
from gatepost.deliver.session import Connection
from gatepost.deliver.targets import OwnEndpoints, PlanFailure, plan
from gatepost.flow.journey import Journey
from gatepost.model.attempt import Failure, SessionFacts
from gatepost.model.mail import REPORT, Item, NewMessage, QueuedRecipient, Recipient
from gatepost.model.objects import Connector, SmartHost
from gatepost.model.route import DestinationKey
from gatepost.route.decide import Standing
from gatepost.smtp.address import BadAddress, domain_of
from gatepost.smtp.body import stuff

CONNECT_PATIENCE = 10.0


class Sent(NamedTuple):
    """What became of a message: whether it left, by which way, and what was said."""

    way: str
    words: str
    ok: bool = False


async def send(journey: Journey, sender: str, to: str, message: bytes, *, last: bool) -> Sent:
    """Send a message by the first way that takes it; `last` allows the ordinary queue."""
    tried: list[str] = []
    for way, key, connector in _ways(journey, to):
        if key.kind == "mailbox":
            return await _queue(journey, sender, to, message, "mailboxes")
        sent = await _directly(journey, way, key, connector, sender, to, message)
        if sent.ok:
            return sent
        tried.append(f"{way}: {sent.words}")
    if last:
        return await _queue(journey, sender, to, message, "queue")
    return Sent("", "; ".join(tried)[:1000])


async def send_through(
    journey: Journey, key: DestinationKey, connector: Connector, sender: str, to: str, message: bytes
) -> Sent:
    """Send a message by one connector, or not at all."""
    return await _directly(journey, connector.name, key, connector, sender, to, message)


def _ways(journey: Journey, to: str) -> list[tuple[str, DestinationKey, Connector | None]]:
    world = journey.world
    found: list[tuple[str, DestinationKey, Connector | None]] = []
    host = world.settings.alerts.smart_host
    if host is not None:
        own = Connector("", smart_hosts=(SmartHost(host.host, host.port),))
        found.append(("alerts.smart_host", DestinationKey("smart", "", ""), own))
    if world.router.standing(to) == Standing.KNOWN:
        return [*found, ("mailboxes", DestinationKey("mailbox", "", ""), None)]
    key = world.router.route(to).destination
    lane = journey.lanes.by_id.get(key.id)
    routed = ("route", key, world.connector(key.connector))
    broken = lane is not None and lane.state != "ready"
    try:
        domain = domain_of(to)
    except BadAddress:
        domain = ""
    by_mx = ("mx", DestinationKey("mx", "", domain), None)
    others = [by_mx] if domain and key.kind == "smart" and domain not in _own_domains(journey) else []
    if key.kind == "none":
        return [*found, *others]
    return [*found, *others, routed] if broken else [*found, routed, *others]


def _own_domains(journey: Journey) -> set[str]:
    """Return our own domains: their MX are likely ourselves."""
    return {domain.name for domain in journey.world.objects.domains}


async def _directly(
    journey: Journey,
    way: str,
    key: DestinationKey,
    connector: Connector | None,
    sender: str,
    to: str,
    message: bytes,
) -> Sent:
    world = journey.world
    own = OwnEndpoints(world.own_endpoints)
    planned = await plan(key, connector, world.resolver, own, _in_order)
    if isinstance(planned, PlanFailure):
        return Sent(way, f"{planned.server} {planned.detail}".strip())
    options = world.delivery_options(
        connector if connector is not None and connector.name else None, lmtp=False
    )
    limit = min(options.deadlines.connect, CONNECT_PATIENCE)
    options = replace(
        options, deadlines=replace(options.deadlines, connect=limit), dot_sent=lambda item: None
    )
    words = "no address"
    for target in list(planned)[:6]:
        session = SessionFacts(world.new_id(), 0, journey.now(), target.server, target.address, target.port)
        opened = await open_connection(target, options, session)
        if not isinstance(opened, Connection):
            words = f"{session.endpoint} {opened.detail}"
            continue
        result = await send_once(opened, _item(world.new_id(), journey.now(), sender, to, message))
        if isinstance(result, list) and all(r.outcome == "delivered" for r in result):
            reply = result[0].reply
            return Sent(way, f"{session.endpoint} {reply.text if reply else ''}".strip(), ok=True)
        words = f"{session.endpoint} {_words(result)}"
    return Sent(way, words)


def _in_order(_addresses: list[str]) -> None:
    """Leave the order of equal mail servers as it is."""


def _words(result: object) -> str:
    if isinstance(result, Failure):
        return result.detail
    if isinstance(result, list):
        failures = [r.failure.detail for r in result if r.failure is not None]
        return failures[0] if failures else "not taken"
    return "no answer in time"


def _item(number: int, now: int, sender: str, to: str, message: bytes) -> Item:
    body = stuff(message)
    recipient = QueuedRecipient(1, to, "", 0, 0, 0)
    return Item(
        number, 0, now, sender, len(body), REPORT, "", (recipient,), body, zlib.crc32(body), last=True
    )


async def _queue(journey: Journey, sender: str, to: str, message: bytes, way: str) -> Sent:
    """Let the message take the ordinary journey."""
    _number, problem = await keep(journey, sender, to, message)
    return Sent(way, "kept" if problem is None else str(problem), ok=problem is None)


async def keep(journey: Journey, sender: str, to: str, message: bytes) -> tuple[int, BaseException | None]:
    """Put a message of our own into the queue; return its id, and what went wrong."""
    kept: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
    lane = journey.lanes.get(journey.world.router.route(to).destination)
    body = stuff(message)
    new = NewMessage(
        id=journey.world.new_id(),
        accepted_at=journey.now(),
        sender=sender,
        size=len(body),
        flags=REPORT,
        envid="",
        header_id="",
        source="gateway",
        client="{}",
        recipients=(Recipient(1, to, lane.id),),
        body=body,
        spool=False,
        crc=zlib.crc32(body),
    )
    journey.keep(new, kept.set_result)
    return new.id, await kept
