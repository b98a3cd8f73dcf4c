"""The nodes of the gateway: version, uptime, listeners, resolvers, what they use, what is short.

There is one today, this process; the shape is a list, so that several need no other one.
"""

from gatepost import __version__
from gatepost.admin.answers.nodes import NodeJson, NodeQueue, NodeStore
from gatepost.admin.gateway import Gateway
from gatepost.admin.shapes import when

ROLES = ("receive", "deliver", "admin")


class NodeUseCases:
    """What can be asked of nodes."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def listed(self) -> list[NodeJson]:
        """Return every node."""
        gateway = self._gateway
        node, now, why = gateway.node(), gateway.now(), gateway.ready()
        return [
            {
                "node": node.number,
                "hostname": node.hostname,
                "version": __version__,
                "pid": node.pid,
                "roles": list(ROLES),
                "started_at": when(node.started_at),
                "uptime_seconds": max(0, now - node.started_at) // 1000,
                "seen_at": when(now),
                "ready": not why,
                "why": why,
                "listeners": [
                    {"service": one.service, "endpoint": one.endpoint, "encrypted": one.encrypted}
                    for one in node.listeners
                ],
                "resolvers": [{"server": one.server, "silent": one.silent} for one in node.resolvers],
                "connections": {"in": node.connections_in, "out": node.connections_out},
                "queue": await self._queue(),
                "memory": {"used": node.memory, "limit": node.memory_limit},
                "disk": {"free": node.disk_free, "total": node.disk_total, "least": node.disk_least},
                "store": self._store(),
                "pressure": dict(node.pressure),
                "clock_gap_ms": node.clock_gap_ms,
            }
        ]

    async def _queue(self) -> NodeQueue:
        summaries = await self._gateway.store.destinations(self._gateway.expiry_of)
        waiting = [summary for summary in summaries if summary.messages]
        return {
            "messages": sum(s.messages for s in waiting),
            "recipients": sum(s.recipients for s in waiting),
            "bytes": sum(s.bytes for s in waiting),
            "destinations": len(waiting),
        }

    def _store(self) -> NodeStore:
        health = self._gateway.store.health()
        return {
            "engine": health.engine,
            "ok": health.ok,
            "problem": health.problem,
            "bytes": health.size_bytes,
            "log_bytes": health.wal_bytes,
            "pending": health.pending,
        }
