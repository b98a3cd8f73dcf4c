"""A small name server on loopback, so that the demo's domains exist, and one of them is in trouble."""

import socket
import socketserver
import threading
from collections.abc import Mapping
from typing import Any, Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

SERVFAIL = "servfail"
TTL = 5


class _Question(socketserver.BaseRequestHandler):
    server: "NameServer"

    def handle(self) -> None:
        """Answer one question."""
        data, sock = self.request
        try:
            question = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return
        sock.sendto(self.server.answer(question).to_wire(), self.client_address)


class NameServer(socketserver.ThreadingUDPServer):
    """Answers for a table of names: an IPv4 address, or `SERVFAIL`; every other name does not exist."""

    daemon_threads = True
    max_packet_size = 4096

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Question)
        self.names = {dns.name.from_text(name): value for name, value in names.items()}
        self.port: int = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def answer(self, question: dns.message.Message) -> dns.message.Message:
        """Return the answer to a question."""
        reply = dns.message.make_response(question, recursion_available=True)
        asked = question.question[0]
        value = self.names.get(asked.name)
        if value == SERVFAIL:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif value is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif asked.rdtype == dns.rdatatype.A:
            reply.answer.append(dns.rrset.from_text(asked.name, TTL, "IN", "A", value))
        return reply

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that went away before its answer."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.shutdown()
        self.server_close()


def free_port(preferred: int = 0) -> int:
    """Return a loopback port that is free: the preferred one where it is."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on loopback")
