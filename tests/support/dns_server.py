"""A name server on loopback (UDP and TCP, one port) that answers as it is told, wrongly too.

    zones = {
        "a.test": {"MX": ["10 mx1.a.test", "20 mx2.a.test"]},
        "mx1.a.test": {"A": ["127.0.0.1"], "AAAA": ["::1"], "ttl": 60},
        "b.test": {"CNAME": "a.test"},
        "none.test": {"MX": ["0 ."]},        # null MX
        "broken.test": SERVFAIL,             # or REFUSED, NXDOMAIN, DROP, GARBAGE, WRONG_ID ...
        "half.test": {"A": ["127.0.0.1"], "AAAA": SERVFAIL},
        "slow.test": {"A": ["127.0.0.1"], "delay": 0.2},
        "big.test": {"A": [...], "truncate": True},   # truncated over UDP, whole over TCP
    }
    with DnsServer(zones) as server:
        Resolver([server.address]) ... server.questions, server.zones["a.test"] = ...

Names that are not in `zones` do not exist (NXDOMAIN); a name without the asked type has no data. Zones may be
changed while the server runs. Aliases are followed inside the zones, as a resolver does.
"""

import socket
import socketserver
import struct
import threading
import time
from collections.abc import Mapping
from typing import Any, Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

NXDOMAIN = "<nxdomain>"
SERVFAIL = "<servfail>"
REFUSED = "<refused>"
FORMERR = "<formerr>"  # to EDNS only: a server of the old days
DROP = "<drop>"
GARBAGE = "<garbage>"  # our id, then nonsense
NOISE = "<noise>"  # nonsense without our id
WRONG_ID = "<wrong id>"
WRONG_QUESTION = "<wrong question>"
TRUNCATED_ONLY = "<truncated only>"  # truncated over UDP, silent over TCP
SHORT = "<short>"  # three octets
REFERRAL = "<referral>"  # to other servers, as one that does not recurse

_CODES = {SERVFAIL: dns.rcode.SERVFAIL, REFUSED: dns.rcode.REFUSED, NXDOMAIN: dns.rcode.NXDOMAIN}
Zones = dict[str, Any]


class DnsServer:
    """The server; `zones` may be changed while it runs."""

    def __init__(
        self, zones: Mapping[str, Any] | None = None, *, ttl: int = 60, negative_ttl: int = 30
    ) -> None:
        self.zones: Zones = dict(zones or {})
        self.ttl = ttl
        self.negative_ttl = negative_ttl
        self.questions: list[tuple[str, str, str]] = []  # (name, type, "udp" or "tcp")
        self.port = 0
        self._servers: list[socketserver.BaseServer] = []
        self._threads: list[threading.Thread] = []

    @property
    def address(self) -> str:
        """Return host and port as settings take them."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen on a free port, the same for UDP and TCP."""
        for _ in range(20):
            udp = _Udp(("127.0.0.1", 0), _UdpHandler)
            try:
                tcp = _Tcp(udp.server_address, _TcpHandler)
            except OSError:
                udp.server_close()
                continue
            break
        else:
            raise OSError("no port is free for both UDP and TCP")
        self.port = int(udp.server_address[1])
        self._servers = [udp, tcp]
        for server in self._servers:
            server.scripted = self  # type: ignore[attr-defined]
            thread = threading.Thread(
                target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Stop listening."""
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join(5)

    def asked(self, name: str, kind: str) -> int:
        """Return how often a question was asked."""
        return sum(question[:2] == (name, kind) for question in self.questions)

    # answers

    def answer(self, wire: bytes, transport: str) -> list[bytes]:
        """Return the datagrams that answer a query; none is silence."""
        query = dns.message.from_wire(wire)
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(query.question[0].rdtype)
        rule = self.zones.get(name, NXDOMAIN)
        self.questions.append((name, kind, transport))  # last: whoever sees the question may change the zone
        if isinstance(rule, Mapping):
            time.sleep(rule.get("delay", 0))
            behaviour = rule.get(kind)
            if isinstance(behaviour, str) and behaviour.startswith("<"):
                return self._misbehave(behaviour, query, wire, transport)
            return [self._records(query, rule, name, kind, transport)]
        return self._misbehave(str(rule), query, wire, transport)

    def _misbehave(self, how: str, query: dns.message.Message, wire: bytes, transport: str) -> list[bytes]:
        reply = _reply_to(query)
        if how in _CODES:
            reply.set_rcode(_CODES[how])
            if how == NXDOMAIN:
                self._say_no(reply)
            return [reply.to_wire()]
        if how == FORMERR:
            return self._formerr(query, reply)
        if how == WRONG_ID:
            reply.id = (query.id + 1) & 0xFFFF
            return [reply.to_wire()]
        if how == WRONG_QUESTION:
            other = dns.message.make_query("elsewhere.test", "A", id=query.id)
            return [_reply_to(other).to_wire()]
        if how == TRUNCATED_ONLY:
            reply.flags |= dns.flags.TC
            return [reply.to_wire()] if transport == "udp" else []
        if how == REFERRAL:
            reply.flags &= ~dns.flags.RA
            reply.authority.append(dns.rrset.from_text("test.", 60, "IN", "NS", "ns.elsewhere.test."))
            return [reply.to_wire()]
        raw = {GARBAGE: wire[:2] + b"\x81\x80\xff\xff\xff\xff" * 3, NOISE: b"\xff" * 40, SHORT: b"\1\2\3"}
        return [raw[how]] if how in raw else []

    def _formerr(self, query: dns.message.Message, reply: dns.message.Message) -> list[bytes]:
        if query.edns < 0:
            name = query.question[0].name
            kind = dns.rdatatype.to_text(query.question[0].rdtype)
            if kind == "A":
                reply.answer.append(dns.rrset.from_text(name, self.ttl, "IN", kind, "127.0.0.1"))
            return [reply.to_wire()]
        plain = dns.message.make_response(query)
        plain.use_edns(False)
        plain.set_rcode(dns.rcode.FORMERR)
        return [plain.to_wire()]

    def _records(
        self, query: dns.message.Message, rule: Mapping[str, Any], name: str, kind: str, transport: str
    ) -> bytes:
        reply = _reply_to(query)
        if transport == "udp" and rule.get("truncate"):
            reply.flags |= dns.flags.TC
            return reply.to_wire()
        for _ in range(20):  # a loop of aliases is sent as one
            target = rule.get("CNAME")
            if target is None or rule.get(kind):
                break
            reply.answer.append(_rrset(name, self._ttl(rule), "CNAME", [target]))
            name = target.rstrip(".").lower()
            following = self.zones.get(name, NXDOMAIN)
            if not isinstance(following, Mapping):
                reply.set_rcode(_CODES.get(following, dns.rcode.SERVFAIL))
                following = {}
            if rule.get("stop"):  # a server that does not follow aliases
                return reply.to_wire()
            rule = following
        texts = rule.get(kind) or []
        if texts:
            reply.answer.append(_rrset(name, self._ttl(rule), kind, texts))
        else:
            self._say_no(reply)
        wire = reply.to_wire(max_size=65535)
        if transport == "udp" and len(wire) > 1232:
            reply.answer.clear()
            reply.flags |= dns.flags.TC
            return reply.to_wire()
        return wire

    def _ttl(self, rule: Mapping[str, Any]) -> int:
        return int(rule.get("ttl", self.ttl))

    def _say_no(self, reply: dns.message.Message) -> None:
        soa = f"ns.test. admin.test. 1 3600 600 86400 {self.negative_ttl}"
        reply.authority.append(dns.rrset.from_text("test.", 3600, "IN", "SOA", soa))


def _reply_to(query: dns.message.Message) -> dns.message.Message:
    reply = dns.message.make_response(query, recursion_available=True)
    reply.flags |= dns.flags.RD
    return reply


def _rrset(name: str, ttl: int, kind: str, texts: list[str]) -> dns.rrset.RRset:
    if kind in ("MX", "CNAME"):
        texts = [text if text.endswith(".") else f"{text}." for text in texts]
    return dns.rrset.from_text(dns.name.from_text(name), ttl, "IN", kind, *texts)


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True
    block_on_close = False
    max_packet_size = 65535


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True


class _UdpHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        wire, sock = self.request
        for datagram in self.server.scripted.answer(wire, "udp"):  # type: ignore[attr-defined]
            try:
                sock.sendto(datagram, self.client_address)
            except OSError:
                return


class _TcpHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        stream: socket.socket = self.request
        stream.settimeout(10)
        try:
            (length,) = struct.unpack("!H", stream.recv(2, socket.MSG_WAITALL))
            wire = stream.recv(length, socket.MSG_WAITALL)
            answers = self.server.scripted.answer(wire, "tcp")  # type: ignore[attr-defined]
            for answer in answers:
                stream.sendall(struct.pack("!H", len(answer)) + answer)
            if not answers:
                stream.recv(1)  # silent until the other side gives up
        except (OSError, struct.error):
            return
