"""Answers about nodes, and how reports to senders look."""

from typing import Annotated

from typing_extensions import TypedDict

from gatepost.admin.answers.fields import CLASSES, Octets, at, says


class ListenerJson(TypedDict):
    """Where a node is listened to."""

    service: Annotated[str, says("What is spoken there.", ("smtp", "admin"))]
    endpoint: Annotated[str, says("Address and port.")]
    encrypted: Annotated[bool, says("Whether TLS is offered (smtp) or spoken (admin).")]


class ResolverJson(TypedDict):
    """A DNS server that a node asks."""

    server: str
    silent: Annotated[bool, says("Whether it gave no answer lately, and is asked last.")]


_Connections = TypedDict(
    "_Connections",
    {
        "in": Annotated[int, says("Open ones of clients.")],
        "out": Annotated[int, says("Open ones to servers.")],
    },
)


class NodeConnections(_Connections):
    """Connections that are open."""


class NodeQueue(TypedDict):
    """What waits at a node."""

    messages: int
    recipients: int
    bytes: Octets
    destinations: int


class NodeMemory(TypedDict):
    """Memory of the process."""

    used: Octets
    limit: Annotated[int, says("Above it no mail is accepted; 0: no limit.", minimum=0)]


class NodeDisk(TypedDict):
    """The file system of the data folder."""

    free: Octets
    total: Octets
    least: Annotated[int, says("Free octets below which no mail is accepted.", minimum=0)]


class NodeStore(TypedDict):
    """The store of a node."""

    engine: str
    ok: bool
    problem: Annotated[str, says("What is wrong; empty: nothing.")]
    bytes: Octets
    log_bytes: Octets
    pending: Annotated[int, says("Changes that wait to be written.")]


class NodeJson(TypedDict):
    """A node of the gateway."""

    node: Annotated[int, says("Its number.")]
    hostname: str
    version: str
    pid: Annotated[int, says("Number of the process.")]
    roles: Annotated[list[str], says("What it does: receive, deliver, admin.")]
    started_at: Annotated[str | None, at("When it was started.")]
    uptime_seconds: Annotated[int, says("Seconds since then.", minimum=0)]
    seen_at: Annotated[str | None, at("When it said this.")]
    ready: Annotated[bool, says("Whether mail is accepted and delivered.")]
    why: Annotated[str, says("Why not; empty while it is.")]
    listeners: list[ListenerJson]
    resolvers: list[ResolverJson]
    connections: Annotated[NodeConnections, says("Connections that are open.")]
    queue: NodeQueue
    memory: NodeMemory
    disk: NodeDisk
    store: NodeStore
    pressure: Annotated[dict[str, str], says("What is short, each with its reason.")]
    clock_gap_ms: Annotated[int, says("How far the wall clock is from where it should be.")]


class NdrPreview(TypedDict):
    """A report to a sender as it would leave, and its parts."""

    failure_class: Annotated[str, says("Class of the failure.", CLASSES)]
    kind: Annotated[str, says("What it tells.", ("failure", "delay", "relayed", "over"))]
    language: Annotated[str, says("Language that the sender gets.", ("en", "zh-CN"))]
    to: Annotated[str, says("Whose servers failed.", ("on-premises", "partner"))]
    sender: Annotated[str, says("Who is told.")]
    subject: str
    headers: Annotated[str, says("Its headers.")]
    human: Annotated[str, says("The part for people.")]
    machine: Annotated[str, says("The part for programs (RFC 3464).")]
    original: Annotated[str, says("What is enclosed of the message.")]
    raw: Annotated[str, says("All of it.")]
    bytes: Octets
