"""Name servers that fail, lie and change their mind, under the whole gateway (fault matrix 49 to 54)."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.support.dns_server import (
    DROP,
    GARBAGE,
    NOISE,
    NXDOMAIN,
    REFERRAL,
    REFUSED,
    SERVFAIL,
    SHORT,
    TRUNCATED_ONLY,
    WRONG_ID,
    WRONG_QUESTION,
    DnsServer,
)
from tests.support.gateway import FAST, GatewayProcess
from tests.support.peers import PATIENCE, free_port, wait_until
from tests.support.smtp_server import FaultServer

CONNECTOR = """
[[connector]]
name = "{name}"
domains = ["{name}.test"]
use_mx = true
port = {port}
"""

HOME = """
[[accepted_domain]]
name = "home.test"
recipients = ["ann@home.test"]
"""

# What the zone says; then the class, the code, the reason, and words that the message has to name.
BAD: dict[str, tuple[Any, str, str, str]] = {
    "nxdomain": (NXDOMAIN, "dns_query_failed", "4.4.312", "nxdomain"),
    "nodata": ({"TXT": ['"no mail here"']}, "dns_query_failed", "4.4.312", "no_records"),
    "servfail": (SERVFAIL, "dns_query_failed", "4.4.312", "servfail"),
    "refused": (REFUSED, "dns_query_failed", "4.4.312", "refused"),
    "timeout": (DROP, "dns_query_failed", "4.4.312", "timeout"),
    "garbage": (GARBAGE, "dns_query_failed", "4.4.312", "bad_answer"),
    "noise": (NOISE, "dns_query_failed", "4.4.312", "bad_answer"),
    "short": (SHORT, "dns_query_failed", "4.4.312", "bad_answer"),
    "wrong-id": (WRONG_ID, "dns_query_failed", "4.4.312", "bad_answer"),
    "wrong-question": (WRONG_QUESTION, "dns_query_failed", "4.4.312", "bad_answer"),
    "referral": (REFERRAL, "dns_query_failed", "4.4.312", "bad_answer"),
    "tcp-dead": (TRUNCATED_ONLY, "dns_query_failed", "4.4.312", "timeout"),
    "alias-loop": ({"CNAME": "alias-loop.test"}, "dns_query_failed", "4.4.312", "mx_invalid"),
    "dangling": ({"MX": ["10 nowhere.dangling.test"]}, "dns_query_failed", "4.4.312", "mx_invalid"),
    "nowhere": ({"MX": ["10 zero.nowhere.test"]}, "dns_query_failed", "4.4.312", "mx_invalid"),
    "null-mx": ({"MX": ["0 ."]}, "dns_permanent", "5.1.10", "null_mx"),
}

GOOD: dict[str, Any] = {
    "plain": {"MX": ["10 mx.good.test"]},
    "implicit": {"A": ["127.0.0.1"]},
    "truncated": {"MX": [f"10 mx{n}.good.test" for n in range(60)], "truncate": True},
    "sixty": {"MX": [f"{n} mx{n}.good.test" for n in range(60)]},
    "alias": {"CNAME": "plain.test"},
    "mx-alias": {"MX": ["10 alias.good.test"]},
    "half": {"MX": ["10 half.good.test"]},
    "first-gone": {"MX": ["10 gone.good.test", "20 mx.good.test"]},
    "huge-ttl": {"MX": ["10 mx.good.test"], "ttl": 2_000_000_000},
}

HOSTS: dict[str, Any] = {
    "mx.good.test": {"A": ["127.0.0.1"]},
    **{f"mx{n}.good.test": {"A": ["127.0.0.1"]} for n in range(60)},
    "alias.good.test": {"CNAME": "mx.good.test"},
    "half.good.test": {"A": ["127.0.0.1"], "AAAA": SERVFAIL},
    "zero.nowhere.test": {"A": ["0.0.0.0"]},
}


@pytest.fixture(scope="module")
def names() -> Iterator[DnsServer]:
    zones = {f"{name}.test": row[0] for name, row in BAD.items()}
    zones |= {f"{name}.test": zone for name, zone in GOOD.items()} | HOSTS
    zones["first-gone.test"] = {"MX": ["10 gone.good.test", "20 mx.good.test"]}
    with DnsServer(zones) as server:
        yield server


@pytest.fixture(scope="module")
def gateway(names: DnsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("gateway")
    with GatewayProcess(folder, delivery=FAST, dns=names.address, dns_timeout="1s") as process:
        yield process


def test_names_that_work_in_odd_ways_deliver(names: DnsServer, gateway: GatewayProcess) -> None:
    """Fault matrix 51 to 54: truncated, sixty servers, aliases, half an answer, a first server that is gone."""
    with FaultServer() as server:
        gateway.apply("".join(CONNECTOR.format(name=name, port=server.port) for name in GOOD))
        for name in GOOD:
            gateway.send("ann@client.test", f"bob@{name}.test")
        gateway.drained(20)
        assert sorted(r for m in server.messages for r in m.recipients) == sorted(
            f"bob@{n}.test" for n in GOOD
        )


def test_mail_for_a_domain_whose_servers_we_are_ourselves_does_not_turn(gateway: GatewayProcess) -> None:
    """Fault matrix 52, 59: MX = self is seen before it turns, and returned as a loop."""
    gateway.apply(CONNECTOR.format(name="plain", port=gateway.smtp_port) + HOME)
    gateway.send("ann@home.test", "eve@plain.test")
    report = wait_until(gateway.mailbox, 15, 0.1, "the report")[0]
    assert "Status: 5.4.6" in report
    assert "eve@plain.test" in report
    gateway.drained(5)
    accepted = [line for line in gateway.log() if line["event"] == "message.accepted"]
    assert sum("eve@plain.test" in line["recipients"] for line in accepted) == 1


def test_each_failure_of_a_name_has_its_code_and_its_reason(gateway: GatewayProcess) -> None:
    """Fault matrix 49 to 52, R6: a connector's names queue and name the reason; only a null MX is final."""
    port = free_port()
    gateway.apply("".join(CONNECTOR.format(name=name, port=port) for name in BAD) + HOME)
    found: dict[str, tuple[str, str]] = {}
    begun = time.monotonic()
    for name in BAD:
        gateway.send("ann@home.test", f"bob@{name}.test")
    for name, (_, failure_class, code, _) in BAD.items():
        if name == "null-mx":
            reports = wait_until(lambda: [t for t in gateway.mailbox() if "@null-mx.test" in t], 15, 0.1)
            assert code in reports[0]
            continue
        error = gateway.error(name, 20)
        assert (error["class"], error["code"], error["phase"]) == (failure_class, code, "dns"), error
        found[name] = (error["reason"], error["text"])
    assert {name: pair[0] for name, pair in found.items()} == {
        n: r[3] for n, r in BAD.items() if n != "null-mx"
    }, found
    assert time.monotonic() - begun < 20 * PATIENCE
    wait_until(lambda: gateway.queued() == len(BAD) - 1, what="all but the report to be queued")
    assert gateway.ask("queue/audit")["balanced"]


@pytest.mark.slow
def test_a_changed_mx_is_used_when_its_time_is_over(tmp_path: Path) -> None:
    """Fault matrix 54: TTL 0 is asked each time, a huge one ends with dns.max_ttl; a domain that goes is queued."""
    zones = {
        "short.test": {"MX": ["10 old.test"], "ttl": 0},
        "long.test": {"MX": ["10 old.test"], "ttl": 2_000_000_000},
        "old.test": {"A": ["127.0.0.1"], "ttl": 0},
        "new.test": {"A": ["127.0.0.2"], "ttl": 0},
    }
    with ExitStack() as stack:
        names = stack.enter_context(DnsServer(zones))
        old = stack.enter_context(FaultServer())
        new = stack.enter_context(FaultServer(host="127.0.0.2", port=old.port))
        delivery = FAST + 'idle_timeout = "500ms"\n'
        gateway = GatewayProcess(tmp_path, delivery=delivery, dns=names.address)
        gateway.config.write_text(gateway.config.read_text().replace("[dns]", '[dns]\nmax_ttl = "5s"'))
        stack.enter_context(gateway)
        gateway.apply("".join(CONNECTOR.format(name=name, port=old.port) for name in ("short", "long")))
        for name in ("short", "long"):
            gateway.send("ann@client.test", f"a@{name}.test")
        assert old.wait_for(2, 10)
        looked = time.monotonic()
        names.zones["short.test"] = {"MX": ["10 new.test"], "ttl": 0}
        names.zones["long.test"] = {"MX": ["10 new.test"], "ttl": 2_000_000_000}
        time.sleep(2)  # the connections that were kept are closed, and a TTL of 0 lasts a second here
        for name in ("short", "long"):
            gateway.send("ann@client.test", f"b@{name}.test")
        assert new.wait_for(1, 5)
        assert new.messages[0].recipients == ["b@short.test"]
        if time.monotonic() - looked < 4:
            assert old.wait_for(3, 5)
        time.sleep(max(0.0, 6 - (time.monotonic() - looked)))
        gateway.send("ann@client.test", "c@long.test")
        wait_until(lambda: any(m.recipients == ["c@long.test"] for m in new.messages), 10, 0.05)
        names.zones["short.test"] = NXDOMAIN
        time.sleep(2)
        gateway.send("ann@client.test", "d@short.test")
        error = gateway.error("short")
        assert (error["code"], error["reason"]) == ("4.4.312", "nxdomain")
        names.zones["short.test"] = {"MX": ["10 new.test"], "ttl": 0}
        gateway.drained(60)
