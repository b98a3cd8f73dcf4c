"""The resolver against a name server that does what it is told."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import pytest
from tests.support import dns_server
from tests.support.dns_server import DnsServer

from gatepost.model.failure import Reason
from gatepost.net.dns import DnsFailure, Resolver

T = TypeVar("T")


class Clock:
    """A clock that moves when it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def ask(work: Callable[[Resolver], Awaitable[T]], *servers: str, timeout: float = 10, **arguments: Any) -> T:
    """Run something with a resolver, and leave nothing behind; only who waits for silence has a short time-out."""

    async def run() -> T:
        resolver = Resolver(servers, timeout=timeout, **arguments)
        try:
            return await work(resolver)
        finally:
            await resolver.close()

    return asyncio.run(run())


def failure_of(work: Callable[[Resolver], Awaitable[Any]], *servers: str, **arguments: Any) -> DnsFailure:
    with pytest.raises(DnsFailure) as caught:
        ask(work, *servers, **arguments)
    return caught.value


UNANSWERED = {
    dns_server.DROP,
    dns_server.TRUNCATED_ONLY,
    dns_server.NOISE,
    dns_server.SHORT,
    dns_server.WRONG_ID,
    dns_server.WRONG_QUESTION,
}


def patience(rule: object) -> float:
    """Return how long to wait for such a server, in seconds: not long for one that never answers."""
    return 0.3 if isinstance(rule, str) and rule in UNANSWERED else 10


def questions(evidence: dict[str, object]) -> list[dict[str, object]]:
    found = evidence["questions"]
    assert isinstance(found, list)
    return found


def test_mail_servers_come_by_preference() -> None:
    """R1: MX records, best first (RFC 5321 section 5.1)."""
    zones = {"a.test": {"MX": ["20 mx2.a.test", "10 MX1.a.test", "20 mx3.a.test"]}}
    with DnsServer(zones) as server:
        answer = ask(lambda r: r.mx("A.Test."), server.address)
    assert answer.hosts[0] == (10, "mx1.a.test")
    assert set(answer.hosts[1:]) == {(20, "mx2.a.test"), (20, "mx3.a.test")}
    assert not answer.implicit
    assert answer.ttl == 60


def test_the_evidence_says_who_was_asked_and_what_was_said() -> None:
    """B2: what was asked and answered is kept with the attempt."""
    with DnsServer({"a.test": {"MX": ["10 mx1.a.test"]}}) as server:
        answer = ask(lambda r: r.mx("a.test"), server.address)
    (question,) = questions(answer.evidence)
    assert isinstance(question.pop("ms"), float)
    assert question == {
        "name": "a.test",
        "type": "MX",
        "server": server.address,
        "rcode": "NOERROR",
        "answers": ["10 mx1.a.test"],
        "ttl": 60,
        "from_cache": False,
    }


def test_a_domain_without_mx_takes_its_mail_itself() -> None:
    with DnsServer({"a.test": {"A": ["192.0.2.7"]}}) as server:
        answer = ask(lambda r: r.mx("a.test"), server.address)
    assert (answer.hosts, answer.implicit) == (((0, "a.test"),), True)


def test_both_families_are_asked_and_literals_are_not() -> None:
    zones = {"mx.test": {"A": ["192.0.2.7", "192.0.2.8"], "AAAA": ["2001:db8::7"]}}

    async def work(resolver: Resolver) -> list[tuple[str, ...]]:
        names = ("mx.test", "192.0.2.9", "[2001:db8::9]", "[IPv6:2001:db8::a]", "localhost")
        return [(await resolver.addresses(name)).addresses for name in names]

    with DnsServer(zones) as server:
        found = ask(work, server.address)
        assert sorted(question[:2] for question in server.questions) == [
            ("mx.test", "A"),
            ("mx.test", "AAAA"),
        ]
    found[0] = tuple(sorted(found[0]))
    assert found == [
        ("192.0.2.7", "192.0.2.8", "2001:db8::7"),
        ("192.0.2.9",),
        ("2001:db8::9",),
        ("2001:db8::a",),
        ("127.0.0.1", "::1"),
    ]


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (dns_server.NXDOMAIN, Reason.NXDOMAIN),
        (dns_server.SERVFAIL, Reason.SERVFAIL),
        (dns_server.REFUSED, Reason.REFUSED),
        (dns_server.DROP, Reason.TIMEOUT),
        (dns_server.GARBAGE, Reason.BAD_ANSWER),
        (dns_server.NOISE, Reason.BAD_ANSWER),
        (dns_server.SHORT, Reason.BAD_ANSWER),
        (dns_server.WRONG_ID, Reason.BAD_ANSWER),
        (dns_server.WRONG_QUESTION, Reason.BAD_ANSWER),
        (dns_server.TRUNCATED_ONLY, Reason.TIMEOUT),
        (dns_server.REFERRAL, Reason.BAD_ANSWER),
        ({"MX": ["0 ."]}, Reason.NULL_MX),
        ({"MX": ["10 192.0.2.7"]}, Reason.MX_INVALID),
        ({"MX": ["10 a\\032b.test"]}, Reason.MX_INVALID),
        ({"CNAME": "loop.test"}, Reason.MX_INVALID),
        ({"CNAME": "gone.test"}, Reason.MX_INVALID),
    ],
)
def test_each_failure_of_a_mail_domain_has_its_reason(rule: object, reason: Reason) -> None:
    """R6, fault rows 49 to 52, rule 31."""
    zones = {"a.test": rule, "loop.test": {"CNAME": "a.test"}}
    with DnsServer(zones) as server:
        failure = failure_of(lambda r: r.mx("a.test"), server.address, timeout=patience(rule))
    assert failure.reason is reason
    assert failure.detail
    assert questions(failure.evidence)[0]["server"] == server.address


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (dns_server.NXDOMAIN, Reason.NXDOMAIN),
        (dns_server.SERVFAIL, Reason.SERVFAIL),
        (dns_server.REFUSED, Reason.REFUSED),
        (dns_server.DROP, Reason.TIMEOUT),
        (dns_server.GARBAGE, Reason.BAD_ANSWER),
        ({"TXT": ["x"]}, Reason.NO_RECORDS),
        ({"CNAME": "loop.test"}, Reason.BAD_ANSWER),
        ({"A": dns_server.SERVFAIL}, Reason.SERVFAIL),
    ],
)
def test_each_failure_of_a_host_has_its_reason(rule: object, reason: Reason) -> None:
    """R6: 4.4.312, and which of its causes."""
    with DnsServer({"mx.test": rule, "loop.test": {"CNAME": "mx.test"}}) as server:
        failure = failure_of(lambda r: r.addresses("mx.test"), server.address, timeout=patience(rule))
    assert failure.reason is reason
    assert len(questions(failure.evidence)) >= 2


def test_nobody_listening_is_told_apart_from_silence() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    failure = failure_of(lambda r: r.mx("a.test"), f"127.0.0.1:{port}")
    assert failure.reason is Reason.UNREACHABLE
    assert "ECONNREFUSED" in failure.detail


def test_an_answer_too_large_for_udp_is_fetched_by_tcp() -> None:
    """Fault row 51."""
    hosts = [f"10 mx{n}.a.test" for n in range(60)]
    with DnsServer({"a.test": {"MX": hosts, "truncate": True}}) as server:
        answer = ask(lambda r: r.mx("a.test"), server.address)
        assert [question[2] for question in server.questions] == ["udp", "tcp"]
    assert len(answer.hosts) == 60


def test_dead_tcp_ends_within_the_time_of_a_question() -> None:
    """Fault row 51: bounded, whatever happens."""
    with DnsServer({"a.test": dns_server.TRUNCATED_ONLY}) as server:
        started = time.monotonic()
        failure = failure_of(lambda r: r.mx("a.test"), server.address, timeout=0.3)
    assert failure.reason is Reason.TIMEOUT
    assert time.monotonic() - started < 10


def test_the_number_of_mail_servers_is_bounded() -> None:
    """Rule 31."""
    hosts = [f"{n} mx{n}.a.test" for n in range(250)]
    with DnsServer({"a.test": {"MX": hosts}}) as server:
        answer = ask(lambda r: r.mx("a.test"), server.address)
    assert len(answer.hosts) == 100
    assert answer.hosts[0] == (0, "mx0.a.test")
    assert len(questions(answer.evidence)[-1]["answers"]) <= 20  # type: ignore[arg-type]


def test_aliases_are_followed_where_the_server_stops_at_them() -> None:
    zones = {
        "a.test": {"CNAME": "b.test", "stop": True},
        "b.test": {"CNAME": "c.test", "stop": True},
        "c.test": {"A": ["192.0.2.7"]},
    }
    with DnsServer(zones) as server:
        assert ask(lambda r: r.addresses("a.test"), server.address).addresses == ("192.0.2.7",)


@pytest.mark.parametrize("stop", [True, False])
def test_more_than_eight_aliases_are_too_many(stop: bool) -> None:
    """Rule 31."""
    zones: dict[str, Any] = {f"n{i}.test": {"CNAME": f"n{i + 1}.test", "stop": stop} for i in range(9)}
    zones["n9.test"] = {"A": ["192.0.2.7"]}
    with DnsServer(zones) as server:
        assert ask(lambda r: r.addresses("n1.test"), server.address).addresses == ("192.0.2.7",)
        assert failure_of(lambda r: r.addresses("n0.test"), server.address).reason is Reason.BAD_ANSWER


def test_one_failing_family_does_not_hide_the_other() -> None:
    for behaviour in (dns_server.SERVFAIL, dns_server.REFUSED, dns_server.GARBAGE):
        with DnsServer({"mx.test": {"A": ["192.0.2.7"], "AAAA": behaviour}}) as server:
            assert ask(lambda r: r.addresses("mx.test"), server.address).addresses == ("192.0.2.7",)


def test_a_silent_family_is_not_waited_for_at_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatepost.net.dns._OTHER_FAMILY", 0.05)
    with DnsServer({"mx.test": {"A": ["192.0.2.7"], "AAAA": dns_server.DROP}}) as server:
        started = time.monotonic()
        answer = ask(lambda r: r.addresses("mx.test"), server.address, timeout=30.0)
    assert answer.addresses == ("192.0.2.7",)
    assert time.monotonic() - started < 20
    assert questions(answer.evidence)[1]["error"] == "timeout"


@pytest.mark.parametrize(
    "behaviour", [dns_server.SERVFAIL, dns_server.REFUSED, dns_server.DROP, dns_server.GARBAGE]
)
def test_the_next_server_is_asked_where_one_fails(behaviour: str) -> None:
    with DnsServer({"a.test": behaviour}) as bad, DnsServer({"a.test": {"MX": ["10 mx.a.test"]}}) as good:
        answer = ask(lambda r: r.mx("a.test"), bad.address, good.address, timeout=1)
    assert answer.hosts == ((10, "mx.a.test"),)
    assert [question["server"] for question in questions(answer.evidence)] == [bad.address, good.address]


def test_a_silent_server_is_asked_last_for_a_while() -> None:
    silent = {f"{n}.test": dns_server.DROP for n in "abc"}
    good = {f"{n}.test": {"MX": [f"10 mx.{n}.test"]} for n in "abc"}

    async def work(resolver: Resolver) -> None:
        for name in silent:
            await resolver.mx(name)

    with DnsServer(silent) as first, DnsServer(good) as second:
        ask(work, first.address, second.address, timeout=1)
        assert len(first.questions) == 1
        assert len(second.questions) == 3


def test_a_server_that_knows_no_edns_is_asked_without() -> None:
    with DnsServer({"mx.test": dns_server.FORMERR}) as server:
        assert ask(lambda r: r.addresses("mx.test"), server.address).addresses == ("127.0.0.1",)


def test_a_question_on_its_way_is_not_asked_twice() -> None:
    zones = {"a.test": {"MX": ["10 mx.a.test"], "delay": 0.5}}

    async def work(resolver: Resolver) -> None:
        impatient = asyncio.ensure_future(resolver.mx("a.test"))
        answers = asyncio.gather(*(resolver.mx("a.test") for _ in range(20)))
        while not server.questions:
            await asyncio.sleep(0.01)
        impatient.cancel()  # one who gives up must not spoil it for the others
        assert len(await answers) == 20

    with DnsServer(zones) as server:
        ask(work, server.address, timeout=20.0)
        assert server.asked("a.test", "MX") == 1


@pytest.mark.parametrize(
    ("rule", "server_ttl", "life"),
    [
        ({"MX": ["10 mx.a.test"], "ttl": 60}, 60, 60),
        ({"MX": ["10 mx.a.test"], "ttl": 0}, 0, 1),
        ({"MX": ["10 mx.a.test"], "ttl": 2_000_000}, 2_000_000, 3600),
        ({"TXT": ["x"]}, 30, 30),
        (dns_server.NXDOMAIN, 30, 30),
        (dns_server.SERVFAIL, 0, 5),
    ],
)
def test_an_answer_is_believed_as_long_as_it_may_be(rule: object, server_ttl: int, life: int) -> None:
    """Fault row 54: TTL honoured, an hour at most, failures for seconds only."""
    clock = Clock()

    async def work(resolver: Resolver) -> list[int]:
        counts = []
        for moment in (0.0, life - 0.5, life + 0.5):
            clock.now = 1000.0 + moment
            with suppress(DnsFailure):
                await resolver.mx("a.test")
            counts.append(server.asked("a.test", "MX"))
        return counts

    with DnsServer({"a.test": rule}) as server:
        assert ask(work, server.address, clock=clock) == [1, 1, 2], server_ttl


def test_no_is_believed_for_five_minutes_at_most() -> None:
    clock = Clock()

    async def work(resolver: Resolver) -> None:
        for moment in (0.0, 299.0, 301.0):
            clock.now = 1000.0 + moment
            with pytest.raises(DnsFailure):
                await resolver.mx("a.test")

    with DnsServer(negative_ttl=86400) as server:
        ask(work, server.address, clock=clock)
        assert server.asked("a.test", "MX") == 2


def test_an_answer_from_the_cache_says_so_and_counts_down() -> None:
    clock = Clock()

    async def work(resolver: Resolver) -> dict[str, object]:
        await resolver.mx("a.test")
        clock.now += 20
        answer = await resolver.mx("a.test")
        assert answer.ttl == 40
        return questions(answer.evidence)[0]

    with DnsServer({"a.test": {"MX": ["10 mx.a.test"]}}) as server:
        question = ask(work, server.address, clock=clock)
    assert (question["from_cache"], question["ttl"], question["answers"]) == (True, 40, ["10 mx.a.test"])
    assert question["server"] == server.address


def test_flushing_forgets_a_domain_and_its_mail_servers() -> None:
    """R6: an MX that changed lately is looked up again at once."""
    zones = {
        "a.test": {"MX": ["10 mx.a.test"]},
        "mx.a.test": {"A": ["192.0.2.7"]},
        "b.test": {"A": ["192.0.2.8"]},
    }

    async def work(resolver: Resolver) -> None:
        for _ in range(2):
            await resolver.mx("a.test")
            await resolver.addresses("mx.a.test")
            await resolver.addresses("b.test")
            resolver.flush("A.test")

    with DnsServer(zones) as server:
        ask(work, server.address)
        assert server.asked("a.test", "MX") == 2
        assert server.asked("mx.a.test", "A") == 2
        assert server.asked("b.test", "A") == 1


def test_an_answer_from_before_a_flush_is_not_kept() -> None:
    async def work(resolver: Resolver) -> tuple[object, ...]:
        old = asyncio.ensure_future(resolver.mx("a.test"))
        while not server.questions:
            await asyncio.sleep(0.01)
        server.zones["a.test"] = {"MX": ["10 new.a.test"]}
        resolver.flush()
        return (await resolver.mx("a.test")).hosts, (await old).hosts, (await resolver.mx("a.test")).hosts

    with DnsServer({"a.test": {"MX": ["10 old.a.test"], "delay": 1}}) as server:
        new, old, kept = ask(work, server.address, timeout=20.0)
    assert (old, new, kept) == (((10, "old.a.test"),), ((10, "new.a.test"),), ((10, "new.a.test"),))


def test_the_cache_is_bounded() -> None:
    zones = {f"n{i}.test": {"MX": ["10 mx.test"]} for i in range(6)}

    async def work(resolver: Resolver) -> int:
        for name in zones:
            await resolver.mx(name)
        return len(resolver._cache)

    with DnsServer(zones) as server:
        assert ask(work, server.address, max_cache=3) == 3


def test_an_international_name_is_asked_as_a_labels() -> None:
    with DnsServer({"xn--bcher-kva.test": {"MX": ["10 mx.test"]}}) as server:
        assert ask(lambda r: r.mx("BÜCHER.test"), server.address).hosts == ((10, "mx.test"),)


@pytest.mark.parametrize(
    "name", ["", ".", "a..test", "a b.test", "x" * 64 + ".test", "-", "a\0b.test", "\u2024"]
)
def test_what_is_no_name_is_not_asked(name: str) -> None:
    """Rule 31: odd input ends as a value, and never as a final one."""
    with DnsServer() as server:
        for work in (lambda r: r.mx(name), lambda r: r.addresses(name)):
            assert failure_of(work, server.address).reason is Reason.NO_RECORDS
        assert server.questions == []


def test_a_mail_domain_in_brackets_is_its_own_server() -> None:
    assert ask(lambda r: r.mx("[192.0.2.7]"), "127.0.0.1:9").hosts == ((0, "192.0.2.7"),)
