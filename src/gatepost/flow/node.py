"""Look at this process: what it listens to, whom it asks, what it uses, what is short."""

import os

from gatepost.config.settings import Settings
from gatepost.flow.pressure import resident_bytes
from gatepost.flow.world import World
from gatepost.model.node import Listener, Node, Resolver


def node_of(world: World, started_at: int) -> Node:
    """Return this process as it is now."""
    settings, limits, pressure = world.settings, world.pressure.limits, world.pressure
    free, total = _disk(pressure.path)
    opened = world.metrics.open_connections()
    return Node(
        number=settings.node,
        hostname=settings.hostname,
        pid=os.getpid(),
        started_at=started_at,
        listeners=_listeners(settings),
        resolvers=tuple(Resolver(server, silent) for server, silent in world.resolver.servers()),
        connections_in=opened.get("in", 0),
        connections_out=opened.get("out", 0),
        memory=resident_bytes(),
        memory_limit=limits.max_memory,
        disk_free=free,
        disk_total=total,
        disk_least=max(limits.min_free_bytes, round(limits.min_free_share * total)),
        pressure=dict(pressure.reasons),
        clock_gap_ms=pressure.clock_gap_ms,
    )


def _listeners(settings: Settings) -> tuple[Listener, ...]:
    smtp, admin = settings.smtp, settings.admin
    found = [Listener("smtp", str(e), smtp.tls_certificate is not None) for e in smtp.listen]
    return (*found, Listener("admin", str(admin.listen), admin.tls_certificate is not None))


def _disk(path: str) -> tuple[int, int]:
    """Return free and all octets of a file system; zeros where it does not answer."""
    try:
        disk = os.statvfs(path)
    except OSError:
        return 0, 0
    return disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
