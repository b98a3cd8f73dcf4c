"""Ask the name servers of a domain themselves, past every cache: what they say against what our resolver says.

Rule: evidence only; no mail goes by what is heard here.
"""

import asyncio
from typing import NamedTuple

from gatepost.model.failure import Reason
from gatepost.net.dns import DnsFailure, Resolver, literal_address, to_query_name
from gatepost.net.dns_query import Evidence, Failed, ask_one

DNS_PORT = 53
SERVERS = 3  # of a zone that are asked
PATIENCE = 2.0  # seconds that one of them has


class Said(NamedTuple):
    """What the servers of a zone say of a name; `problem` is a `Reason`, "" where there is an answer."""

    values: tuple[str, ...]
    problem: str
    server: str  # who said it, "" where nobody did


async def ask_authority(resolver: Resolver, name: str, kind: str, *, port: int = DNS_PORT) -> Said | None:
    """Return what the name servers of a name's zone say; None where it has none that we can find.

    `kind` is A, AAAA or MX; the answers of MX are host names.
    """
    if literal_address(name):
        return None
    try:
        servers = await resolver.name_servers(name)
    except DnsFailure:
        return None
    said: Said | None = None
    for server in servers[:SERVERS]:
        said = await _ask(resolver, server, to_query_name(name), kind, port)
        if not said.problem or said.problem == Reason.NXDOMAIN:
            return said
    return said


async def _ask(resolver: Resolver, server: str, name: str, kind: str, port: int) -> Said:
    try:
        async with asyncio.timeout(PATIENCE):
            addresses = (await resolver.addresses(server)).addresses
    except (DnsFailure, TimeoutError):
        return Said((), str(Reason.TIMEOUT), "")
    tried: Evidence = {}
    outcome = await ask_one((addresses[0], port), name, kind, PATIENCE, tried)
    if isinstance(outcome, Failed):
        return Said((), str(outcome.reason), server)
    if not outcome.exists:
        return Said((), str(Reason.NXDOMAIN), server)
    problem = "" if outcome.values else str(Reason.NO_RECORDS)
    return Said(tuple(text for _, text in outcome.values), problem, server)
