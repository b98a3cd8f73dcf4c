"""A node: one process of the gateway, as it is at a moment."""

from collections.abc import Mapping
from typing import NamedTuple


class Listener(NamedTuple):
    """Where a node is listened to."""

    service: str  # smtp | admin
    endpoint: str
    encrypted: bool  # whether TLS is offered (smtp) or spoken (admin)


class Resolver(NamedTuple):
    """A DNS server that a node asks."""

    server: str
    silent: bool  # it did not answer lately, and is asked last


class Node(NamedTuple):
    """Numbers in octets, times in milliseconds since 1970; a limit of 0 is none."""

    number: int
    hostname: str
    pid: int
    started_at: int
    listeners: tuple[Listener, ...]
    resolvers: tuple[Resolver, ...]
    connections_in: int
    connections_out: int
    memory: int
    memory_limit: int
    disk_free: int
    disk_total: int
    disk_least: int  # free octets below which no mail is accepted
    pressure: Mapping[str, str]  # what is short, and why
    clock_gap_ms: int  # how far the wall clock is from where it should be
