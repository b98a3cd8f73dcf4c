"""One question to the name servers: UDP, TCP where the answer is truncated, the next server where one fails.

Rule 1: an answer counts only with our id and our question in it, from the address that was asked.
Rule 2: whatever arrives, however short or odd, ends as a value; nothing foreign leaves this module.
Rule 3: what each server said is told apart: an error of its own, a refusal, nonsense, silence.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver

from gatepost.model.attempt import endpoint
from gatepost.model.failure import Reason, clean
from gatepost.net.errors import network_failure

Server = tuple[str, int]
Evidence = dict[str, object]
Value = tuple[int, str]  # (preference, host) of an MX; (0, address) of an A or AAAA

MAX_ALIASES = 8
_MAX_SHOWN = 20  # answers kept as evidence; it is stored with every attempt
_PAYLOAD = 1232  # what fits one packet everywhere (DNS flag day 2020)
_ROUNDS = 2
_SILENT_FOR = 30.0  # seconds in which a silent server is asked last
_MAX_AT_ONCE = 256  # questions on the wire, each with a socket
# which of several failures is told: the one that says most
_RANK = (Reason.SERVFAIL, Reason.REFUSED, Reason.BAD_ANSWER, Reason.TIMEOUT, Reason.UNREACHABLE)


@dataclass(frozen=True, slots=True)
class Found:
    """An answer: records, or the certainty that there are none."""

    exists: bool  # False: NXDOMAIN (of `canonical`)
    values: tuple[Value, ...]
    canonical: str  # the name at the end of the aliases
    aliases: int
    final: bool  # False: the server stopped at an alias; ask on for `canonical`
    ttl: int  # seconds, as the server said
    tries: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """No answer."""

    reason: Reason
    detail: str
    again: bool = False  # a second try at the same server may help
    aliases: bool = False  # the answer is a loop or too long a chain of aliases
    tries: tuple[Evidence, ...] = ()


Outcome = Found | Failed


class _Broken(Exception):
    """An answer that belongs to our question and cannot be read."""


def parse_server(text: str) -> Server:
    """Return address and port of `192.0.2.1`, `192.0.2.1:5300`, `2001:db8::1` or `[2001:db8::1]:53`."""
    host, port = text.strip(), "53"
    if host.startswith("["):
        host, _, rest = host[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{text!r} is not a name server: the port is a number from 1 to 65535")
    try:
        return str(ipaddress.ip_address(host)), int(port)
    except ValueError:
        pass
    try:
        return str(socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)[0][4][0]), int(port)
    except (OSError, UnicodeError) as problem:
        raise ValueError(f"{text!r} is not a name server: an IP address is expected") from problem


def system_servers() -> list[Server]:
    """Return the name servers that the system is set to use; this machine where it names none."""
    try:
        found = dns.resolver.Resolver(configure=True).nameservers
    except dns.exception.DNSException:
        found = []
    return [parse_server(str(server)) for server in found] or [("127.0.0.1", 53)]


class NameServers:
    """The servers that are asked, in order, with a memory of those that kept silent."""

    def __init__(self, servers: Sequence[Server], timeout: float) -> None:
        self._servers = tuple(servers)
        self._timeout = timeout
        self._lifetime = 2 * timeout
        self._silent_until: dict[Server, float] = {}
        self._slots = asyncio.Semaphore(_MAX_AT_ONCE)

    def silent(self) -> list[tuple[str, bool]]:
        """Return the servers, and of each whether it kept silent lately."""
        now = asyncio.get_running_loop().time()
        return [(endpoint(*server), self._silent_until.get(server, 0.0) > now) for server in self._servers]

    async def ask(self, name: str, kind: str) -> Outcome:
        """Ask until one server answers, each at most twice, for at most twice the time of one."""
        async with self._slots:
            return await self._ask(name, kind)

    async def _ask(self, name: str, kind: str) -> Outcome:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._lifetime
        share = min(self._timeout, self._lifetime / len(self._servers))
        waiting = sorted(self._servers, key=lambda server: self._silent_until.get(server, 0.0) > loop.time())
        tries: list[Evidence] = []
        failures: list[Failed] = []
        for _ in range(_ROUNDS):
            again: list[Server] = []
            for server in waiting:
                limit = min(share, end - loop.time())
                if limit <= 0:
                    break
                outcome = await self._try(server, name, kind, limit, tries)
                if isinstance(outcome, Found):
                    return replace(outcome, tries=tuple(tries))
                failures.append(outcome)
                if outcome.again:
                    again.append(server)
            waiting = again
        worst = min(failures, key=lambda failure: _RANK.index(failure.reason))
        return replace(worst, tries=tuple(tries))

    async def _try(
        self, server: Server, name: str, kind: str, limit: float, tries: list[Evidence]
    ) -> Outcome:
        loop = asyncio.get_running_loop()
        started = loop.time()
        where = endpoint(*server)
        tried: Evidence = {"name": name, "type": kind, "server": where}
        outcome = await ask_one(server, name, kind, limit, tried)
        if isinstance(outcome, Failed):
            tried["error"] = str(outcome.reason)
            tried["detail"] = outcome.detail
            outcome = replace(outcome, detail=f"{outcome.detail}, asking {where} for {kind} of {name}")
            if outcome.reason in (Reason.TIMEOUT, Reason.UNREACHABLE):
                self._silent_until[server] = loop.time() + _SILENT_FOR
        else:
            self._silent_until.pop(server, None)
            tried["answers"] = shown(outcome.values, kind)
            tried["ttl"] = outcome.ttl
        tried["ms"] = round((loop.time() - started) * 1000, 1)
        tried["from_cache"] = False
        tries.append(tried)
        return outcome


def shown(values: Sequence[Value], kind: str) -> list[str]:
    """Return the first answers as people read them."""
    return [f"{number} {text}" if kind == "MX" else text for number, text in values[:_MAX_SHOWN]]


async def ask_one(server: Server, name: str, kind: str, limit: float, tried: Evidence) -> Outcome:
    """Ask one server once."""
    strange: list[str] = []
    try:
        query = dns.message.make_query(name, kind, use_edns=0, payload=_PAYLOAD)
        async with asyncio.timeout(limit):
            answer = await _exchange(server, query, strange)
            if answer.rcode() in (dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS):
                # RFC 6891 section 7: an old server may know no EDNS
                query = dns.message.make_query(name, kind, use_edns=False)
                answer = await _exchange(server, query, strange)
        tried["rcode"] = dns.rcode.to_text(answer.rcode())
        return _read(answer, kind)
    except TimeoutError as error:
        if error.errno is not None:
            return Failed(Reason.UNREACHABLE, network_failure(error)[1], again=True)
        if strange:
            detail = f"only answers that do not belong to the question: {strange[-1]}"
            return Failed(Reason.BAD_ANSWER, detail, again=True)
        return Failed(Reason.TIMEOUT, f"no answer within {limit:.3g} seconds", again=True)
    except OSError as error:
        return Failed(Reason.UNREACHABLE, network_failure(error)[1], again=True)
    except EOFError:
        return Failed(Reason.BAD_ANSWER, "the server closed the TCP connection before its answer", again=True)
    except Exception as error:  # a parser may fail in any way over what a stranger sent
        return Failed(Reason.BAD_ANSWER, clean(f"the answer cannot be read: {error!r}", 256))


async def _exchange(server: Server, query: dns.message.Message, strange: list[str]) -> dns.message.Message:
    try:
        return await _udp(server, query, strange)
    except dns.message.Truncated:
        return await dns.asyncquery.tcp(query, server[0], port=server[1], ignore_trailing=True)


async def _udp(server: Server, query: dns.message.Message, strange: list[str]) -> dns.message.Message:
    """Send one datagram and wait for its answer.

    The socket is connected, so that the kernel drops what comes from elsewhere and a closed port is told at
    once; it is new, so that its port cannot be guessed (RFC 5452 section 9.2).
    """
    loop = asyncio.get_running_loop()
    wire = query.to_wire()
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)  # noqa: FBT003  (the socket module's interface)
        sock.connect(server)
        await loop.sock_sendall(sock, wire)
        while True:
            data = await loop.sock_recv(sock, 65535)
            try:
                answer: dns.message.Message = dns.message.from_wire(
                    data, ignore_trailing=True, raise_on_truncation=True
                )
            except dns.message.Truncated as truncated:
                if query.is_response(truncated.message()):  # type: ignore[no-untyped-call]
                    raise
                strange.append("a truncated answer to another question")
                continue
            except Exception as error:
                if data[:2] == wire[:2]:
                    raise _Broken(clean(repr(error), 200)) from error
                strange.append(clean(repr(error), 200))
                continue
            if query.is_response(answer):
                return answer
            strange.append("another id" if answer.id != query.id else "another question")


def _read(answer: dns.message.Message, kind: str) -> Outcome:
    """Return what an answer says."""
    code = answer.rcode()
    if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        reasons = {dns.rcode.SERVFAIL: Reason.SERVFAIL, dns.rcode.REFUSED: Reason.REFUSED}
        return Failed(reasons.get(code, Reason.BAD_ANSWER), _code_in_words(answer))
    if not isinstance(answer, dns.message.QueryMessage):
        return Failed(Reason.BAD_ANSWER, "the answer is of another kind")
    try:
        chain = answer.resolve_chaining()
    except dns.message.ChainTooLong:
        return Failed(Reason.BAD_ANSWER, "the aliases are a loop, or too many", aliases=True)
    except dns.exception.DNSException as error:
        return Failed(Reason.BAD_ANSWER, clean(f"the answer contradicts itself: {error!r}", 256))
    if len(chain.cnames) > MAX_ALIASES:
        return Failed(Reason.BAD_ANSWER, f"more than {MAX_ALIASES} aliases in a row", aliases=True)
    authority = {rrset.rdtype for rrset in answer.authority}
    exists = code == dns.rcode.NOERROR
    if chain.answer is None and exists and dns.rdatatype.SOA not in authority:
        if dns.rdatatype.NS in authority and not answer.flags & dns.flags.RA:
            return Failed(Reason.BAD_ANSWER, "the server refers to others and does not ask them itself")
        final = not chain.cnames
    else:
        final = True
    return Found(
        exists=exists,
        values=_values(chain.answer or (), kind),
        canonical=chain.canonical_name.to_text(omit_final_dot=True).lower(),
        aliases=len(chain.cnames),
        final=final,
        ttl=chain.minimum_ttl,
    )


def _values(records: object, kind: str) -> tuple[Value, ...]:
    if kind == "MX":
        return tuple(
            (record.preference, record.exchange.to_text(omit_final_dot=True).lower())
            for record in records  # type: ignore[attr-defined]
        )
    if kind == "NS":
        return tuple(
            (0, record.target.to_text(omit_final_dot=True).lower())
            for record in records  # type: ignore[attr-defined]
        )
    return tuple((0, str(record.address)) for record in records)  # type: ignore[attr-defined]


def _code_in_words(answer: dns.message.Message) -> str:
    """Return the code, with what the server adds to it (RFC 8914)."""
    words = dns.rcode.to_text(answer.rcode())
    extra = "; ".join(str(option.to_text()) for option in answer.extended_errors())
    return clean(f"{words} ({extra})" if extra else words, 256)
